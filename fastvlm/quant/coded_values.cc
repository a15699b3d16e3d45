#include "fastvlm/quant/coded_values.h"

#include <array>

#include "fastvlm/quant/codes.h"

namespace fastvlm {
namespace {

std::array<Value, 2> parameters(Graph& graph, const Encoding& encoding) {
  return {graph.add_constant(Tensor::of_floats({}, std::vector<float>{encoding.scale})), graph.add_constant(zero_point_tensor(encoding))};
}

}  // namespace

Value quantize(Value x, const Encoding& encoding) {
  const auto [scale, zero] = parameters(x.graph(), encoding);
  return x.graph().add_node("", "QuantizeLinear", {x, scale, zero}, {{encoding.dtype, x.dims()}})[0];
}

Value dequantize(Value codes, const Encoding& encoding) {
  const auto [scale, zero] = parameters(codes.graph(), encoding);
  return codes.graph().add_node("", "DequantizeLinear", {codes, scale, zero}, {{Dtype::kFloat32, codes.dims()}})[0];
}

Value dequantize_by_channel(Value codes, Value scales, std::int64_t axis) {
  Graph& graph = codes.graph();
  Value zeros = graph.add_constant(Tensor::zeros(codes.dtype(), *static_shape(scales.dims())));
  return graph.add_node("", "DequantizeLinear", {codes, scales, zeros}, {{Dtype::kFloat32, codes.dims()}}, {{"axis", axis}})[0];
}

}  // namespace fastvlm
