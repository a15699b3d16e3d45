// Semantic operators: what a model is made of. Each stays one node that knows what it means until a target (or the
// reference, reference.h) expands it into basic operators.
#pragma once

#include "fastvlm/checkpoint/fuse.h"
#include "fastvlm/graph/graph.h"
#include "fastvlm/ops/basic.h"

namespace fastvlm::ops {

// y = x W^T + b.  x: [..., in], weight: [out, in], bias: [out] or nothing.
Value linear(Value x, const WeightPtr& weight, const WeightPtr& bias = nullptr);

// 2-D convolution with a bias.  x: [B, C, H, W].
Value conv2d(Value x, const ConvWeights& weights, const ConvOptions& options);

// x Phi(x), exact (erf) form.
Value gelu(Value x);

// x sigmoid(x).
Value silu(Value x);

// 1 / (1 + exp(-x)).
Value sigmoid(Value x);

// Over the last axis, statistics as in the reference (biased variance).
Value layer_norm(Value x, const WeightPtr& scale, const WeightPtr& bias, double epsilon);

// x / sqrt(mean(x^2) + epsilon) * scale over the last axis.
Value rms_norm(Value x, const WeightPtr& scale, double epsilon);

// A map [B, C, H, W] as tokens [B, H*W, C], row by row; and back.
Value tokens_of_map(Value x);
Value map_of_tokens(Value x, std::int64_t height, std::int64_t width);

// softmax(q k^T) v for each head, no mask.  q (already scaled), k, v: [B, N, heads*head_dim] -> same.
Value self_attention(Value q, Value k, Value v, std::int64_t heads);

// Rows of a table.  ids: [B, L] int64, table: [V, H] -> [B, L, H] of type `dtype`.
Value embedding(Value ids, const WeightPtr& table, Dtype dtype = Dtype::kFloat32);

// y = x table^T, the table being the (often tied) vocabulary matrix.  x: [B, L, H], table: [V, H] -> [B, L, V].
Value vocabulary_logits(Value x, const WeightPtr& table);

// Positions 0 … L-1 of x [B, L, H]: angles of the rotary embedding and the additive causal mask.
struct Positions {
  Value cos;   // [L, head_dim/2]
  Value sin;   // [L, head_dim/2]
  Value mask;  // [L, L]: 0 where the row may look at the column, the lowest float elsewhere
};
Positions causal_positions(Value x, std::int64_t head_dim, double rope_theta);

// Positions of L new tokens of x [B, L, H] behind a cache of any length; T tokens in all. position_ids: [B, L] int64;
// attention_mask: [B, T] int64, 0 where nobody looks. cos, sin: [B, L, head_dim/2]; mask: [B, 1, 1, L, T].
Positions cached_positions(Value x, Value position_ids, Value attention_mask, std::int64_t head_dim, double rope_theta);

struct RotaryAttentionOptions {
  std::int64_t heads = 0;
  std::int64_t key_value_heads = 0;
  std::int64_t head_dim = 0;
};

// Grouped-query attention with half-split rotary embedding over the whole sequence.
// q (already scaled): [B, L, heads*head_dim], k, v: [B, L, kv*head_dim] -> [B, L, heads*head_dim].
Value rotary_attention(Value q, Value k, Value v, const Positions& positions, const RotaryAttentionOptions& options);

// The same with a cache, static: A new tokens behind `past` slots.
// past_key: [kv, 1, head_dim, past], past_value: [kv, 1, past, head_dim]; cos, sin: [1, 1, A, head_dim/2];
// mask: [1, 1, A, past + A].  The new keys and values have A slots in the same layout.
//
// Or growing, for any batch and length: past_key, past_value: [B, kv, past, head_dim] with a symbolic past, positions as of
// cached_positions(). The keys and values are then the whole cache [B, kv, T, head_dim], past and new.
struct CachedAttention {
  Value output;  // [1, A, heads*head_dim]
  Value key;
  Value value;
};
struct PastKeyValue {
  Value key;
  Value value;
};
CachedAttention cached_rotary_attention(Value q, Value k, Value v, const Positions& positions, const PastKeyValue& past,
                                        const RotaryAttentionOptions& options);

}  // namespace fastvlm::ops
