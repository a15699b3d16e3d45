// A weight in blocks that share a scale, still as a recipe: codes, scales and zero points are weights over one source.
#pragma once

#include "fastvlm/tensor/block_quantise.h"
#include "fastvlm/tensor/weight.h"

namespace fastvlm {

struct QuantisedWeight {
  WeightPtr codes;                  // bytes [rows, blocks, bytes of a block]
  WeightPtr scales;                 // numbers [rows, blocks]
  WeightPtr zero_points = nullptr;  // bytes [rows, zero_point_bytes] of shifted blocks
};

// weight: [rows, columns], rows as they lie in their source (output features of a linear layer). Whoever reads the codes first
// makes the others on the way; they are kept until they are read, so that none is computed twice.
QuantisedWeight quantised_in_blocks(const WeightPtr& weight, BlockFormat format);

}  // namespace fastvlm
