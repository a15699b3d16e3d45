// The input pictures of the golden files, which store only the seed of the random numbers they were drawn from.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "fastvlm/base/result.h"
#include "fastvlm/tensor/tensor.h"

namespace fastvlm {

inline constexpr const char* kPixelSeedKey = "pixel_values.seed";

// Adds the "s{S}.b{B}.pixel_values" [B, 3, S, S] that are missing where the metadata names the seed; without a seed, nothing.
// One 32-bit Mersenne Twister serves the whole file; a value is the low 24 bits of a draw over 2^24. `what` names the file.
Status add_golden_pixels(std::vector<NamedTensor>& tensors, const std::map<std::string, std::string>& metadata, const std::string& what);

}  // namespace fastvlm
