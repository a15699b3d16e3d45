#include "fastvlm/ops/reference.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "fastvlm/ops/basic.h"
#include "fastvlm/ops/rescale.h"
#include "fastvlm/tensor/quantised_weight.h"

namespace fastvlm::ops {
namespace {

// theta^(-2j/head_dim) in float32, as torch computes 1 / theta^(2j/head_dim).
std::vector<float> inverse_frequencies(std::int64_t head_dim, double rope_theta) {
  std::vector<float> frequencies;
  for (std::int64_t j = 0; j < head_dim / 2; ++j) {
    const float exponent = static_cast<float>(2 * j) / static_cast<float>(head_dim);
    frequencies.push_back(1.0f / static_cast<float>(std::pow(rope_theta, static_cast<double>(exponent))));
  }
  return frequencies;
}

std::vector<Value> expand_rms_norm(const ExpansionContext& context) {
  Value x = context.input(0), scale = context.input(1);
  // Squares of half precision overflow above 255, so the statistics are made in float32.
  Value wide = cast(x, Dtype::kFloat32);
  Value mean = reduce_mean_last(mul(wide, wide));
  Value norm = sqrt(add(mean, scalar(x.graph(), Dtype::kFloat32, context.node().real("epsilon"))));
  return {mul(cast(div(wide, norm), x.dtype()), scale)};
}

// [B, N, heads*d] -> [B, heads, N, d], or [B, heads, d, N] for keys.
Value heads_first(Value x, std::int64_t heads, bool transposed) {
  Value parts = reshape(x, {x.dim(0), x.dim(1), heads, x.dim(2).value / heads});
  return transpose(parts, transposed ? std::vector<std::int64_t>{0, 2, 3, 1} : std::vector<std::int64_t>{0, 2, 1, 3});
}

std::vector<Value> expand_self_attention(const ExpansionContext& context) {
  const std::int64_t heads = context.node().integer("heads");
  Value q = context.input(0);
  Value keys = heads_first(context.input(1), heads, true), queries = heads_first(q, heads, false);
  Value scores = matmul(queries, keys);
  Value values = heads_first(context.input(2), heads, false), weights = softmax(scores);
  Value mixed = matmul(weights, values);
  return {reshape(transpose(mixed, {0, 2, 1, 3}), q.dims())};
}

// y = table x^T, transposed back: the table keeps the layout of the embedding and lies on disk once.
std::vector<Value> expand_vocabulary_logits(const ExpansionContext& context) {
  if (is_in_blocks(context.source(1))) return {linear_in_blocks(context)};
  Value columns = transpose(context.input(0), {0, 2, 1});
  return {transpose(matmul(context.input(1), columns), {0, 2, 1})};
}

std::vector<Value> constant_positions(const ExpansionContext& context, std::int64_t length) {
  const std::int64_t head_dim = context.node().integer("head_dim");
  const Dtype dtype = context.input(0).dtype();
  RotaryTables tables = rotary_tables(0, length, head_dim, context.node().wide("rope_theta"));
  std::vector<float> mask(static_cast<std::size_t>(length * length), 0.0f);
  for (std::int64_t row = 0; row < length; ++row)
    for (std::int64_t column = row + 1; column < length; ++column)
      mask[static_cast<std::size_t>(row * length + column)] =
          dtype == Dtype::kFloat16 ? -static_cast<float>(kLargestHalf) : std::numeric_limits<float>::lowest();
  Graph& graph = context.graph();
  return {floats(graph, dtype, {length, head_dim / 2}, tables.cos), floats(graph, dtype, {length, head_dim / 2}, tables.sin),
          floats(graph, dtype, {length, length}, mask)};
}

std::vector<Value> expand_causal_positions(const ExpansionContext& context) {
  Value x = context.input(0);
  if (x.dim(1).is_static()) return constant_positions(context, x.dim(1).value);
  Graph& graph = context.graph();
  const std::int64_t head_dim = context.node().integer("head_dim");
  Value positions = range_along(x, 1);
  Value rows = unsqueeze(positions, {1});
  Value frequencies = floats(graph, Dtype::kFloat32, {1, head_dim / 2}, inverse_frequencies(head_dim, context.node().wide("rope_theta")));
  Value angles = mul(cast(rows, Dtype::kFloat32), frequencies);
  Value later = greater(unsqueeze(positions, {0}), rows);
  const double lowest = x.dtype() == Dtype::kFloat16 ? -kLargestHalf : double{std::numeric_limits<float>::lowest()};
  Value visible = scalar(graph, x.dtype(), 0), hidden = scalar(graph, x.dtype(), lowest);
  Value mask = where(later, hidden, visible);
  return {cast(cos(angles), x.dtype()), cast(sin(angles), x.dtype()), mask};
}

// Query heads that share a key head sit on their own axis, so that keys and values broadcast and nothing is repeated.
std::vector<Value> expand_rotary_attention(const ExpansionContext& context) {
  const Node& node = context.node();
  const std::int64_t kv = node.integer("key_value_heads"), d = node.integer("head_dim"), group = node.integer("heads") / kv;
  Value q = context.input(0), k = context.input(1), v = context.input(2);
  Value cos = unsqueeze(context.input(3), {1}), sin = unsqueeze(context.input(4), {1});
  const Dim batch = q.dim(0), length = q.dim(1);
  auto rotated = [&](Value x, std::int64_t heads) { return rotate_half_split(reshape(x, {batch, length, heads, d}), cos, sin, -1); };
  Value queries = transpose(reshape(rotated(q, kv * group), {batch, length, kv, group, d}), {0, 2, 3, 1, 4});
  Value keys = transpose(unsqueeze(rotated(k, kv), {3}), {0, 2, 3, 4, 1});
  Value values = transpose(reshape(v, {batch, length, kv, 1, d}), {0, 2, 3, 1, 4});
  Value weights = softmax(add(matmul(queries, keys), context.input(5)));
  Value mixed = transpose(matmul(weights, values), {0, 3, 1, 2, 4});
  return {reshape(mixed, q.dims())};
}

std::vector<Value> expand_cached_positions(const ExpansionContext& context) {
  Value x = context.input(0), attention_mask = context.input(2);
  Graph& graph = context.graph();
  const std::int64_t head_dim = context.node().integer("head_dim");
  Value frequencies = floats(graph, Dtype::kFloat32, {1, head_dim / 2}, inverse_frequencies(head_dim, context.node().wide("rope_theta")));
  Value angles = mul(cast(unsqueeze(context.input(1), {2}), Dtype::kFloat32), frequencies);
  Value total = extent_of(attention_mask, 1), fresh = extent_of(x, 1);
  Value past = sub(total, fresh);
  Value rows = unsqueeze(add(range_along(x, 1), past), {1});
  Value columns = unsqueeze(range_along(attention_mask, 1), {0});
  Value later = greater(columns, rows);
  // A row of padding sees nothing: with the lowest half its scores would become infinite, and their softmax no number.
  const double lowest = x.dtype() == Dtype::kFloat16 ? double{kMaskHidden} : double{std::numeric_limits<float>::lowest()};
  Value visible = scalar(graph, x.dtype(), 0), hidden = scalar(graph, x.dtype(), lowest);
  Value causal = where(later, hidden, visible);
  Value one = scalar(graph, Dtype::kInt64, 1), present = unsqueeze(attention_mask, {1, 2, 3});
  Value padding = greater(one, present);
  Value mask = where(padding, hidden, causal);
  return {cast(cos(angles), x.dtype()), cast(sin(angles), x.dtype()), mask};
}

// The growing form; the static one looks different on each target.
std::vector<Value> expand_cached_rotary_attention(const ExpansionContext& context) {
  Value cos = unsqueeze(context.input(3), {2}), sin = unsqueeze(context.input(4), {2});
  return attention_of_rotated(context, [&](Value x, std::int64_t heads) {
    return rotate_half_split(reshape(x, {x.dim(0), x.dim(1), heads, x.dim(2).value / heads}), cos, sin, -1);
  });
}

std::vector<Value> expand_linear(const ExpansionContext& context) {
  if (is_in_blocks(context.source(1))) {
    Value product = linear_in_blocks(context);
    return {context.input_count() > 2 ? add(product, context.input(2)) : product};
  }
  Value weight = context.add_weight(context.weight(1)->transposed(), 1);
  Value y = matmul(context.input(0), weight);
  if (context.input_count() > 2) y = add(y, context.input(2));
  return {y};
}

// What an activation with a scaled input computes its nonlinear part of.
Value true_numbers(const ExpansionContext& context) { return times(context.input(0), 1 / scale_of(context.node())); }

std::vector<Value> expand_gelu(const ExpansionContext& context) {
  return {times(gelu_of_erf(true_numbers(context)), scale_of(context.node()))};
}

std::vector<Value> expand_silu(const ExpansionContext& context) {
  Value x = context.input(0);
  return {mul(x, sigmoid_node(true_numbers(context)))};
}

std::vector<Value> expand_sigmoid(const ExpansionContext& context) { return {sigmoid_node(true_numbers(context))}; }

std::vector<Value> expand_embedding(const ExpansionContext& context) { return {gather_rows(context.input(1), context.input(0))}; }

}  // namespace

std::vector<Value> attention_of_rotated(const ExpansionContext& context, const Rotate& rotated) {
  const Node& node = context.node();
  const std::int64_t kv = node.integer("key_value_heads"), d = node.integer("head_dim"), group = node.integer("heads") / kv;
  Value q = context.input(0), k = context.input(1), v = context.input(2), mask = context.input(5);
  const Dim batch = q.dim(0), length = q.dim(1), total = mask.dim(-1);
  Value queries = transpose(reshape(rotated(q, kv * group), {batch, length, kv, group, d}), {0, 2, 3, 1, 4});
  Value fresh_keys = transpose(rotated(k, kv), {0, 2, 1, 3});
  Value fresh_values = transpose(reshape(v, {batch, length, kv, d}), {0, 2, 1, 3});
  Value keys = concat({context.input(6), fresh_keys}, 2, total), values = concat({context.input(7), fresh_values}, 2, total);
  Value columns = transpose(unsqueeze(keys, {2}), {0, 1, 2, 4, 3});
  Value weights = softmax(add(matmul(queries, columns), mask));
  Value shared = unsqueeze(values, {2});
  Value mixed = transpose(matmul(weights, shared), {0, 3, 1, 2, 4});
  return {reshape(mixed, q.dims()), keys, values};
}

Value times(Value x, float factor) {
  constexpr float kLargest = 0x1p14F;
  while (factor != 1) {
    const float step = std::clamp(factor, 1 / kLargest, kLargest);
    x = mul(x, scalar(x.graph(), x.dtype(), step));
    factor /= step;
  }
  return x;
}

BlockValues weight_in_blocks(const ExpansionContext& context, std::size_t i) {
  const QuantisedWeight weight = quantised_in_blocks(context.weight(i), context.source(i).encoding->blocks);
  auto add_bytes = [&](const WeightPtr& bytes, const char* suffix) {
    return context.graph().add_weight(bytes, context.source(i).name + suffix, Dtype::kUint8);
  };
  return {.codes = add_bytes(weight.codes, ":codes"),
          .scales = context.add_weight(weight.scales, i, ":scales"),
          .zero_points = weight.zero_points == nullptr ? Value() : add_bytes(weight.zero_points, ":zero_points")};
}

Value linear_in_blocks(const ExpansionContext& context) {
  const BlockFormat format = context.source(1).encoding->blocks;
  return matmul_in_blocks(context.input(0), weight_in_blocks(context, 1), format);
}

Value gelu_of_erf(Value x) {
  Graph& graph = x.graph();
  Value one = scalar(graph, x.dtype(), 1), root_of_two = scalar(graph, x.dtype(), std::sqrt(2.0));
  Value twice_phi = add(erf(div(x, root_of_two)), one);
  Value half = scalar(graph, x.dtype(), 0.5);
  return mul(mul(x, twice_phi), half);
}

RotaryTables rotary_tables(std::int64_t first_position, std::int64_t length, std::int64_t head_dim, double rope_theta) {
  RotaryTables tables;
  const std::vector<float> frequencies = inverse_frequencies(head_dim, rope_theta);
  for (std::int64_t position = first_position; position < first_position + length; ++position)
    for (float frequency : frequencies) {
      const float angle = static_cast<float>(position) * frequency;
      tables.cos.push_back(std::cos(angle));
      tables.sin.push_back(std::sin(angle));
    }
  return tables;
}

Value rotate_half_split(Value x, Value cos, Value sin, int axis) {
  auto halves = split_evenly(x, axis, 2);
  Value second_sin = mul(halves[1], sin), first_cos = mul(halves[0], cos);
  Value first = sub(first_cos, second_sin);
  Value first_sin = mul(halves[0], sin), second_cos = mul(halves[1], cos);
  Value second = add(second_cos, first_sin);
  return concat({first, second}, axis);
}

const ExpansionTable& reference_expansions() {
  static const ExpansionTable table = {
      {"linear", expand_linear},
      {"gelu", expand_gelu},
      {"silu", expand_silu},
      {"sigmoid", expand_sigmoid},
      {"rms_norm", expand_rms_norm},
      {"self_attention", expand_self_attention},
      {"embedding", expand_embedding},
      {"vocabulary_logits", expand_vocabulary_logits},
      {"causal_positions", expand_causal_positions},
      {"rotary_attention", expand_rotary_attention},
      {"cached_positions", expand_cached_positions},
      {"cached_rotary_attention", expand_cached_rotary_attention},
  };
  return table;
}

}  // namespace fastvlm::ops
