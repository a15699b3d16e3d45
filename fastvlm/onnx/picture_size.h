// The plain picture encoder for another picture size: its nodes and weights stay, the extents follow.
#pragma once

#include <cstdint>
#include <string>

#include "fastvlm/base/files.h"
#include "fastvlm/base/result.h"

namespace fastvlm {

// The model as bytes, with an input "pixel_values" of [batch, 3, size, size]. What its Reshapes say about the map (height and width,
// or the number of tokens) is made anew from that size. External data stay where they are. Bad input where the model has another
// kind of input, or a Reshape that is none of those of the tower.
Result<std::string> at_picture_size(const Path& encoder, std::int64_t size);

}  // namespace fastvlm
