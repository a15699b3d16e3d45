// A name for the weights of a checkpoint, so that what was measured with one model is not used for another.
#pragma once

#include <string>

#include "fastvlm/checkpoint/checkpoint.h"

namespace fastvlm {

// A hash of names, shapes and the first row of every tensor, adapters merged. Reads little.
Result<std::string> model_identity(const Checkpoint& checkpoint);

}  // namespace fastvlm
