// The reference expansions in the forms that ONNX Runtime has kernels for: one operator for an RMS norm and for a rotary embedding, weights
// of 8 bits as DequantizeLinear before a MatMul, which every ONNX Runtime from 1.20 opens and newer ones multiply at once, and of 4 bits as
// a MatMulNBits that may round the activations to 8 bits in blocks. The table of the vocabulary lies as the kernels read it fastest.
#pragma once

#include "fastvlm/ops/expand.h"

namespace fastvlm::ops {

// `bits` of a weight that is stored in half precision and widened when the graph is opened.
inline constexpr int kHalfPrecision = 16;

// Graphs of these are valid in the opsets 17 to 21; with weights of 8 bits only in 21.
const ExpansionTable& onnxruntime_expansions();

}  // namespace fastvlm::ops
