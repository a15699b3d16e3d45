// Whether the tensors of a checkpoint are those of FastVLM and no others: what changes the model is never passed over.
#pragma once

#include <string>
#include <vector>

#include "fastvlm/checkpoint/checkpoint.h"

namespace fastvlm {

// A tensor that Qwen2 has no place for, inside a part that is built from Qwen2's, is another model and an Error. Layers from
// `layers` on are not built. Missing biases are a finding.
Status check_decoder_tensors(const Checkpoint& checkpoint, std::int64_t layers, std::vector<std::string>& findings);

// Names that look like a part of the model and are none that we know are an Error; others are findings.
Status check_unknown_tensors(const Checkpoint& checkpoint, std::vector<std::string>& findings);

}  // namespace fastvlm
