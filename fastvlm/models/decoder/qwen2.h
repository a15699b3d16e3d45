// The Qwen2 decoder: RMS norm, grouped-query attention with rotary positions, SwiGLU. One page, used by the graph over a
// whole sequence and by the static graphs with a cache. Formulas: transformers modeling_qwen2.
//
// `model` is the whole checkpoint.
#pragma once

#include <vector>

#include "fastvlm/checkpoint/model_config.h"
#include "fastvlm/ops/module.h"
#include "fastvlm/ops/semantic.h"

namespace fastvlm::models {

// inputs_embeds: [B, L, H] -> last hidden states after the final norm [B, L, H].
Value qwen2_decoder(Value inputs_embeds, const TextConfig& config, const Module& model);

// Layers [begin, end) with a cache; `past` has one entry for each of them.
struct CachedLayers {
  Value hidden;
  std::vector<ops::PastKeyValue> present;  // the new slots of each layer
};
struct CachedInputs {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  ops::Positions positions;
  std::vector<ops::PastKeyValue> past;
};
CachedLayers qwen2_cached_layers(Value hidden, const CachedInputs& inputs, const TextConfig& config, const Module& model);

// The final norm.  x: [B, L, H].
Value qwen2_norm(Value x, const TextConfig& config, const Module& model);

// [B, L, H] -> logits [B, L, V], with embed_tokens where the head is tied.
Value qwen2_lm_head(Value x, const TextConfig& config, const Module& model);

// ids [B, L] -> [B, L, H].
Value qwen2_embed_tokens(Value input_ids, const TextConfig& config, const Module& model, Dtype dtype = Dtype::kFloat32);

}  // namespace fastvlm::models
