// Settings of a config.json that change what the model computes: each must have the value that the exported graphs have, or
// the checkpoint is refused by its name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fastvlm/base/json.h"
#include "fastvlm/base/result.h"

namespace fastvlm {

// `config` is the whole config, `text` the part that describes the decoder (the same object in Apple's dialect), `what` the
// file in messages. What is odd but harmless is added to `findings`.
Status check_settings(const Json& config, const Json& text, std::string_view what, std::vector<std::string>& findings);

// rope_theta from `rope_parameters`, `rope_scaling` or the config itself; transformers' default 10000, with a finding, where
// none says it. Every scaling but the default, which is none, is refused.
Result<double> read_rope_theta(const Json& text, std::string_view what, std::vector<std::string>& findings);

}  // namespace fastvlm
