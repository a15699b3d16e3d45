// Checkpoints whose weights are packed in some quantised form, recognised by what config.json says and by the names and types
// of tensors. None of them can be exported: the message names the form and the way out.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "fastvlm/base/json.h"
#include "fastvlm/base/result.h"

namespace fastvlm {

// `quantization_config` of transformers, `quantization` of MLX. `what` is the config file.
Status check_not_quantised(const Json& config, std::string_view what);

// `what` is the folder.
Status check_plain_names(std::span<const std::string> names, std::string_view what);

// The form that an element type of a safetensors file belongs to ("F8_E4M3"), or an empty text.
std::string_view quantised_type(std::string_view safetensors_type);

}  // namespace fastvlm
