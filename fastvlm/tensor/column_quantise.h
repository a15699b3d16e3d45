// A weight in blocks of 8 bits along the columns of the matrix that a MatMul multiplies with, as DequantizeLinear of opset 21 takes
// them: symmetric, largest magnitude over 127.
#pragma once

#include "fastvlm/tensor/quantised_weight.h"

namespace fastvlm {

// weight: [rows, columns] (output features of a linear layer in rows) -> codes int8 [columns, rows], scales [columns / block, rows].
// The block divides the columns. NaN and infinity count as zero.
QuantisedWeight quantised_in_column_blocks(const WeightPtr& weight, std::int64_t block);

}  // namespace fastvlm
