// Basic operators: one function for each ONNX operator (opset 17) that we write. Each checks its inputs, infers type and
// shape, and makes the node. A misfit is a ModelError that starts with the op and the module path.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "fastvlm/graph/graph.h"

namespace fastvlm::ops {

// Element by element, with broadcasting from the right.
Value add(Value a, Value b);
Value sub(Value a, Value b);
Value mul(Value a, Value b);
Value div(Value a, Value b);
Value greater(Value a, Value b);
Value equal(Value a, Value b);
Value where(Value condition, Value a, Value b);

Value sqrt(Value x);
Value erf(Value x);
Value abs(Value x);
Value neg(Value x);
Value sigmoid_node(Value x);
Value relu(Value x);
// Opset 20, the exact form.
Value gelu_node(Value x);
Value cos(Value x);
Value sin(Value x);
Value cast(Value x, Dtype dtype);
// Values below `low` become `low`, those above `high` become `high`.
Value clip(Value x, double low, double high);

// [..., M, K] x [..., K, N]; leading extents broadcast.
Value matmul(Value a, Value b);
// x [M, K] times weight [N, K] transposed.
Value gemm_transposed(Value x, Value weight, Value bias = {});
Value transpose(Value x, std::vector<std::int64_t> permutation);
// Symbols of `dims` must stand at their place in x (they become 0 in ONNX); one further symbol may become -1.
Value reshape(Value x, const Dims& dims);
std::vector<Value> split(Value x, int axis, std::span<const std::int64_t> sizes);
std::vector<Value> split_evenly(Value x, int axis, std::int64_t parts);
// `extent` names the sum where it has a name of its own, such as past and new tokens together.
Value concat(std::vector<Value> parts, int axis, std::optional<Dim> extent = {});
Value softmax(Value x);  // last axis
Value reduce_mean_last(Value x);
Value global_average_pool(Value x);
Value gather_rows(Value table, Value ids);
Value layer_normalization(Value x, Value scale, Value bias, float epsilon);
// ONNX Runtime's RMS norm in the default domain; unknown to the ONNX checker.
Value simplified_layer_normalization(Value x, Value scale, float epsilon);

// A weight [N, K] in blocks, as the graph holds it.
struct BlockValues {
  Value codes;        // uint8 [N, K/block, bytes]
  Value scales;       // [N, K/block]
  Value zero_points;  // uint8 [N, zero_point_bytes] where blocks are shifted
};

// x [B, M, K] times such a weight -> [B, M, N]. com.microsoft; the block divides K. `accuracy_level` is the attribute of that name;
// nothing: not written.
Value matmul_in_blocks(Value x, const BlockValues& weight, BlockFormat format, std::optional<std::int64_t> accuracy_level = {});

// Halves of each head turned by the angles of a row: x [B, L, heads*d], rows [B, L] int64 of cos and sin [R, d/2]. com.microsoft.
Value rotary_embedding(Value x, Value rows, Value cos, Value sin);

struct ConvOptions {
  std::int64_t stride = 1;
  std::int64_t padding = 0;
  std::int64_t groups = 1;
};
// x [B, C, H, W], weight [O, C/groups, k, k], bias [O] or empty.
Value conv(Value x, Value weight, Value bias, const ConvOptions& options);

// The extent of `axis` when the graph runs, an int64 scalar.
Value extent_of(Value x, int axis);
// 0, 1, … L-1 as int64, where L is the extent of `axis` (symbolic).
Value range_along(Value x, int axis);
Value unsqueeze(Value x, std::vector<std::int64_t> axes);
// Each element with those before it along `axis` added.
Value cumulative_sum(Value x, int axis);

// (x - zero_point) * scale as float32; x: integers of the encoding's type. com.microsoft, whose opset knows 16 bits.
Value dequantize(Value x, const Encoding& encoding);

// Constants.
Value scalar(Graph& graph, Dtype dtype, double value);
Value floats(Graph& graph, Dtype dtype, const Shape& shape, std::span<const float> values);

// The shape of a broadcast, or a ModelError naming `op`.
Dims broadcast(const char* op, Value a, Value b);

}  // namespace fastvlm::ops
