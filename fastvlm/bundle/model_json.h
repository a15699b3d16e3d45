// The "model" section of a manifest, which plan and inspect print as well.
#pragma once

#include <string>

#include "fastvlm/base/json.h"
#include "fastvlm/checkpoint/model_config.h"

namespace fastvlm {

OrderedJson model_json(const ModelConfig& config, const std::string& model_type);

}  // namespace fastvlm
