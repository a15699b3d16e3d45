// Values of a graph as codes, and back: the pairs of nodes by which a graph says that numbers are integers.
#pragma once

#include "fastvlm/graph/encoding.h"
#include "fastvlm/graph/graph.h"

namespace fastvlm {

Value quantize(Value x, const Encoding& encoding);
Value dequantize(Value codes, const Encoding& encoding);
// Symmetric codes with a scale for each entry of that axis, zero points written.
Value dequantize_by_channel(Value codes, Value scales, std::int64_t axis);

}  // namespace fastvlm
