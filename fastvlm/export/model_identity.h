// A name for the weights of a checkpoint, so that what was measured with one model is not used for another.
#pragma once

#include <string>

#include "fastvlm/checkpoint/checkpoint.h"

namespace fastvlm {

// A hash of names, shapes and up to 64 rows of every tensor, the first and the last among them, adapters merged. Reads little: a
// change of some numbers in other rows of a large tensor is not seen.
Result<std::string> model_identity(const Checkpoint& checkpoint);

}  // namespace fastvlm
