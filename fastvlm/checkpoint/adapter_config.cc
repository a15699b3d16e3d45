#include "fastvlm/checkpoint/adapter_config.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "fastvlm/base/file_content.h"
#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

constexpr const char* kMerge = "merge it into its model with peft (merge_and_unload) and export that";
constexpr std::size_t kMaxPattern = 200;

// Settings with the one value that leaves the update W + scale · B · A.
struct Plain {
  const char* key;
  const char* meaning;
};
constexpr std::array kMustBeOff = {
    Plain{"use_dora", "DoRA scales the sum by magnitudes"},
    Plain{"lora_bias", "the adapter has biases of its own"},
    Plain{"use_qalora", "QA-LoRA pools its input"},
    Plain{"layer_replication", "layers are repeated"},
    Plain{"trainable_token_indices", "single rows of the table are trained"},
    Plain{"target_parameters", "parameters that are no module are trained"},
    Plain{"alora_invocation_tokens", "the adapter acts behind certain tokens only"},
    Plain{"ensure_weight_tying", "the adapter is tied across modules"},
    Plain{"arrow_config", "several adapters are mixed"},
    Plain{"use_bdlora", "the factors are block-diagonal"},
};

bool is_off(const Json& value) { return value == false || ((value.is_array() || value.is_object()) && value.empty()); }

std::string shown(const Json& value) {
  const std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  return text.size() > 60 ? text.substr(0, 60) + "…" : text;
}

Status check_kind(const Json& json, std::string_view what) {
  const Json* type = json_find(json, "peft_type");
  if (type == nullptr) {
    if (auto answer = server_answer(json)) return bad_input("{}: is {}", what, *answer);
    return bad_input("{}: no peft_type; only LoRA adapters of peft are merged (an MLX adapter: fuse it with mlx_vlm and export that)",
                     what);
  }
  if (*type != "LORA") return bad_input("{}: peft_type = {} is not supported, only LORA is; {}", what, shown(*type), kMerge);
  for (const Plain& row : kMustBeOff)
    if (const Json* value = json_find(json, row.key); value != nullptr && !is_off(*value))
      return bad_input("{}: {} = {} is not supported ({}); {}", what, row.key, shown(*value), row.meaning, kMerge);
  // These change the weights of the base before the adapter is trained; the base at hand is not that one.
  const Json* init = json_find(json, "init_lora_weights");
  if (init != nullptr && !init->is_boolean() && *init != "gaussian" && *init != "eva" && *init != "orthogonal")
    return bad_input("{}: init_lora_weights = {} is not supported (it changes the base as well); {}", what, shown(*init), kMerge);
  return {};
}

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_word(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
constexpr bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// "\d" and its like in a regular expression; behind a backslash, all other letters and digits mean something else than themselves.
struct CharacterClass {
  char letter;
  bool (*holds)(char);
};
constexpr std::array kClasses = {
    CharacterClass{'d', is_digit}, CharacterClass{'D', [](char c) { return !is_digit(c); }},
    CharacterClass{'w', is_word},  CharacterClass{'W', [](char c) { return !is_word(c); }},
    CharacterClass{'s', is_space}, CharacterClass{'S', [](char c) { return !is_space(c); }},
};

// Whether `match_here` takes the expression as Python does.
bool is_understood(std::string_view pattern) {
  if (pattern.size() > kMaxPattern) return false;
  bool repeatable = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (std::string_view("()[]{}|?").find(c) != std::string_view::npos) return false;
    if ((c == '^' && i > 0) || (c == '$' && i + 1 < pattern.size())) return false;
    const bool repeats = c == '*' || c == '+';
    if (repeats && !repeatable) return false;
    repeatable = !repeats && c != '^';
    if (c != '\\') continue;
    if (++i == pattern.size()) return false;
    if (is_word(pattern[i]) && pattern[i] != '_' && std::ranges::find(kClasses, pattern[i], &CharacterClass::letter) == kClasses.end())
      return false;
  }
  return true;
}

Result<std::vector<std::pair<std::string, double>>> read_pattern(const OrderedJson& json, const char* key, std::string_view what) {
  std::vector<std::pair<std::string, double>> rows;
  const auto pattern = json.find(key);
  if (pattern == json.end() || pattern->is_null()) return rows;
  if (!pattern->is_object()) return bad_input("{}: {} must map modules to numbers", what, key);
  for (const auto& [module, value] : pattern->items()) {
    if (!value.is_number() || !(value.get<double>() > 0)) return bad_input("{}: {} of \"{}\" must be a number above 0", what, key, module);
    if (!is_understood(module))
      return bad_input("{}: {}: the expression \"{}\" is not supported; {}", what, key, module.substr(0, kMaxPattern), kMerge);
    rows.emplace_back(module, value.get<double>());
  }
  return rows;
}

Result<std::vector<std::string>> read_names(const Json& json, const char* key, std::string_view what) {
  std::vector<std::string> names;
  const Json* list = json_find(json, key);
  if (list == nullptr) return names;
  if (!list->is_array()) return bad_input("{}: {} must be a list of names", what, key);
  for (const Json& name : *list) {
    if (!name.is_string()) return bad_input("{}: {} must be a list of names", what, key);
    names.push_back(name.get<std::string>());
  }
  return names;
}

Status read_numbers(const Json& json, std::string_view what, AdapterConfig& config) {
  constexpr std::int64_t kMaxRank = 1 << 16;
  if (json_find(json, "r") != nullptr) {
    TRY_ASSIGN(config.rank, json_integer(json, "r", what));
  } else {
    config.findings.push_back("adapter_config.json does not say r; the default of peft, 8, is taken");
  }
  if (json_find(json, "lora_alpha") != nullptr) {
    TRY_ASSIGN(config.alpha, json_number(json, "lora_alpha", what));
  } else {
    config.findings.push_back("adapter_config.json does not say lora_alpha; the default of peft, 8, is taken");
  }
  if (config.rank < 1 || config.rank > kMaxRank) return bad_input("{}: r must be from 1 to {}, but is {}", what, kMaxRank, config.rank);
  if (!std::isfinite(config.alpha)) return bad_input("{}: lora_alpha must be a finite number", what);
  if (json_find(json, "use_rslora") != nullptr) {
    TRY_ASSIGN(config.rslora, json_bool(json, "use_rslora", what));
  }
  if (const Json* turned = json_find(json, "fan_in_fan_out"); turned != nullptr && *turned == true)
    config.findings.push_back("fan_in_fan_out is true, but the modules are Linear; as peft does, it is taken as false");
  return {};
}

// A backtracking match; `pattern` is short and the steps are counted, so that a hostile one ends.
bool match_here(std::string_view pattern, std::string_view text, int& steps) {
  if (++steps > 100'000) return false;
  if (pattern.empty() || pattern == "$") return text.empty();
  const std::size_t unit = pattern[0] == '\\' && pattern.size() > 1 ? 2 : 1;
  const auto fits = [&](char c) {
    if (unit == 1) return pattern[0] == '.' || pattern[0] == c;
    const auto* row = std::ranges::find(kClasses, pattern[1], &CharacterClass::letter);
    return row == kClasses.end() ? pattern[1] == c : row->holds(c);
  };
  const char repeat = pattern.size() > unit ? pattern[unit] : '\0';
  if (repeat != '*' && repeat != '+') return !text.empty() && fits(text[0]) && match_here(pattern.substr(unit), text.substr(1), steps);
  const std::string_view rest = pattern.substr(unit + 1);
  for (std::size_t count = 0;; ++count) {
    if ((repeat == '*' || count > 0) && match_here(rest, text.substr(count), steps)) return true;
    if (count == text.size() || !fits(text[count])) return false;
  }
}

const double* find_pattern(const std::vector<std::pair<std::string, double>>& rows, std::string_view module) {
  for (const auto& [pattern, value] : rows)
    if (pattern_fits(pattern, module)) return &value;
  return nullptr;
}

}  // namespace

bool pattern_fits(std::string_view pattern, std::string_view module) {
  int steps = 0;
  if (pattern.starts_with('^')) return match_here(pattern.substr(1), module, steps);
  if (match_here(pattern, module, steps)) return true;
  for (std::size_t dot = module.find('.'); dot != std::string_view::npos; dot = module.find('.', dot + 1))
    if (match_here(pattern, module.substr(dot + 1), steps)) return true;
  return false;
}

std::int64_t AdapterConfig::rank_of(std::string_view module) const {
  const double* exception = find_pattern(rank_pattern, module);
  return exception != nullptr ? static_cast<std::int64_t>(*exception) : rank;
}

double AdapterConfig::scale_of(std::string_view module) const {
  const double* exception = find_pattern(alpha_pattern, module);
  const auto r = static_cast<double>(rank_of(module));
  return (exception != nullptr ? *exception : alpha) / (rslora ? std::sqrt(r) : r);
}

Result<AdapterConfig> parse_adapter_config(std::string_view text, std::string_view what) {
  TRY_ASSIGN(const Json json, parse_json(text, what));
  if (!json.is_object()) return bad_input("{}: must be a JSON object", what);
  AdapterConfig config;
  TRY(check_kind(json, what));
  TRY(read_numbers(json, what, config));
  // The first pattern that fits decides, so their order counts.
  const OrderedJson ordered = OrderedJson::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  TRY_ASSIGN(config.rank_pattern, read_pattern(ordered, "rank_pattern", what));
  TRY_ASSIGN(config.alpha_pattern, read_pattern(ordered, "alpha_pattern", what));
  for (const auto& [module, rank] : config.rank_pattern)
    if (rank != std::floor(rank) || rank > 1 << 16) return bad_input("{}: rank_pattern of \"{}\" must be a whole number", what, module);
  TRY_ASSIGN(config.modules_to_save, read_names(json, "modules_to_save", what));
  if (const Json* bias = json_find(json, "bias"); bias != nullptr) {
    if (*bias != "none" && *bias != "all" && *bias != "lora_only")
      return bad_input("{}: bias = {} is not supported, only none, all and lora_only are; {}", what, shown(*bias), kMerge);
    config.bias = bias->get<std::string>();
  }
  const Json* targets = json_find(json, "target_modules");
  if (targets != nullptr && targets->is_string()) {
    config.target_modules = {targets->get<std::string>()};
  } else {
    TRY_ASSIGN(config.target_modules, read_names(json, "target_modules", what));
  }
  if (const Json* base = json_find(json, "base_model_name_or_path"); base != nullptr && base->is_string())
    config.base_model = base->get<std::string>();
  return config;
}

}  // namespace fastvlm
