// The numbers of a stored tensor as rectangles of float32, read when they are asked for.
#pragma once

#include <memory>

#include "fastvlm/checkpoint/checkpoint.h"

namespace fastvlm {

// As they lie in the file: axis 0 by all others.
std::shared_ptr<const MatrixSource> stored_numbers(const CheckpointTensor& tensor);

// A kernel that lies as [out, height, width, in], read as [out, in, height, width].
std::shared_ptr<const MatrixSource> channels_first(const CheckpointTensor& tensor);

}  // namespace fastvlm
