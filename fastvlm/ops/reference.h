// The reference expansion: semantic operators as plain ONNX operators of the default domain, for any batch and length.
//
// Nodes and constants are numbered in the order in which they are made, and C++ leaves open in which order the arguments of a
// call are made. So at most one argument of a call makes nodes; the others have a name.
#pragma once

#include <functional>

#include "fastvlm/ops/basic.h"
#include "fastvlm/ops/expand.h"

namespace fastvlm::ops {

const ExpansionTable& reference_expansions();

// x times a power of two; by several Muls where half precision could not hold the factor.
Value times(Value x, float factor);

// cached_rotary_attention in its growing form, with a way to turn queries and keys: [B, L, heads*d] and heads -> [B, L, heads, d].
using Rotate = std::function<Value(Value x, std::int64_t heads)>;
std::vector<Value> attention_of_rotated(const ExpansionContext& context, const Rotate& rotated);

// The weight [out, in] of input i as its encoding says, added to the graph.
BlockValues weight_in_blocks(const ExpansionContext& context, std::size_t i);

// Input 0 [B, M, in] times the weight [out, in] of input 1 in the blocks of integers that its encoding says.
Value linear_in_blocks(const ExpansionContext& context);

// GELU of x in the exact form, with Erf.
Value gelu_of_erf(Value x);

// What hides a position in a float mask: far below any score, yet well inside half precision. Some scores of Qwen2 reach a few
// hundred, so -1000 would leave little.
inline constexpr float kMaskHidden = -10000.0f;

// cos and sin of the angles position * theta^(-2j/head_dim), j < head_dim/2, for positions 0 … length-1, angles in float32
// as the reference computes them.
struct RotaryTables {
  std::vector<float> cos;
  std::vector<float> sin;
};
RotaryTables rotary_tables(std::int64_t first_position, std::int64_t length, std::int64_t head_dim, double rope_theta);

// Rotates pairs (j, j + head_dim/2) along `axis`; cos and sin must broadcast against one half.
Value rotate_half_split(Value x, Value cos, Value sin, int axis);

}  // namespace fastvlm::ops
