// Weights in int8 with one scale for each output channel, still as recipes: symmetric, largest magnitude over 127.
#pragma once

#include "fastvlm/tensor/weight.h"

namespace fastvlm {

struct ChannelWeight {
  WeightPtr codes;   // int8, the shape of the weight
  WeightPtr scales;  // numbers [channels]
};

// The channels are the rows as they lie in the source: axis 0 of the weight, or axis 1 of one that is read transposed. The scales
// are made by whoever reads first, in a pass of its own over the weight, and kept. A channel of zeros has scale 1.
ChannelWeight quantised_by_channel(const WeightPtr& weight);

}  // namespace fastvlm
