// adapter_config.json of peft: what a LoRA adapter does to the weights of its base.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fastvlm/base/json.h"
#include "fastvlm/base/result.h"

namespace fastvlm {

struct AdapterConfig {
  std::int64_t rank = 8;
  double alpha = 8;
  bool rslora = false;                                        // alpha / sqrt(rank) instead of alpha / rank
  std::vector<std::pair<std::string, double>> rank_pattern;   // exceptions by module, in the order of the file
  std::vector<std::pair<std::string, double>> alpha_pattern;  // likewise
  std::vector<std::string> modules_to_save;                   // trained as a whole
  std::string bias = "none";                                  // "all": each bias of the model was trained; "lora_only": of the modules
  std::vector<std::string> target_modules;                    // names, or one regular expression; only told, the tensors decide
  std::string base_model;                                     // base_model_name_or_path, may be empty
  std::vector<std::string> findings;

  // The rank of a module ("model.layers.3.self_attn.q_proj") and the factor of B · A.
  std::int64_t rank_of(std::string_view module) const;
  double scale_of(std::string_view module) const;
};

// Other kinds of adapters (DoRA, IA3, LoHa, …) and settings that make more of it than W + scale · B · A are refused by name.
Result<AdapterConfig> parse_adapter_config(std::string_view text, std::string_view what);

// Whether a key of rank_pattern fits a module, as peft decides it: the regular expression must fit the whole name, or what
// stands behind one of its dots. Understood are letters, "." "\." "\d" "\w" "\s" and their opposites with "*" and "+", "^"
// in front and "$" at the end; parse_adapter_config() refuses all others.
bool pattern_fits(std::string_view pattern, std::string_view module);

}  // namespace fastvlm
