// The files beside the graphs: tokenizer and configs, copied or built.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "fastvlm/checkpoint/model_config.h"

namespace fastvlm {

struct SideFiles {
  std::map<std::string, std::string> bytes;  // by name
  std::map<std::string, std::string> made;   // how, by name
  std::vector<std::string> findings;
};

// tokenizer.json (copied, or built from vocab.json and merges.txt), tokenizer and model config, chat template, generation
// config with a stop id, preprocessor config (made when the checkpoint has none).
Result<SideFiles> side_files(const Checkpoint& checkpoint, const ModelConfig& config, std::int64_t image_size);

}  // namespace fastvlm
