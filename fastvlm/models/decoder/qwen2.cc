#include "fastvlm/models/decoder/qwen2.h"

#include <cmath>
#include <functional>

namespace fastvlm::models {
namespace {

using namespace ops;

// "x = …" above a function says what it computes, in the names of the reference.

// x W^T + b, where the checkpoint has a bias; `scale` is folded into both.
Value project(Value x, const Module& parent, const char* name, std::int64_t out, float scale = 1) {
  const Module m = parent.at(name);
  WeightPtr weight = m.take("weight", {out, x.dim(-1).value});
  WeightPtr bias = m.has("bias") ? m.take("bias", {out}) : nullptr;
  if (scale != 1) {
    const std::vector<float> factors(static_cast<std::size_t>(out), scale);
    weight = weight->scaled_rows(factors, "fold attention scale");
    if (bias != nullptr) bias = bias->scaled_rows(factors, "fold attention scale");
  }
  return linear(x, weight, bias);
}

// weight * x * rsqrt(mean(x^2) + eps)
Value norm(Value x, const TextConfig& config, const Module& m) {
  return rms_norm(x, m.take("weight", {config.hidden_size}), config.rms_norm_eps);
}

using Attend = std::function<Value(Value q, Value k, Value v, const RotaryAttentionOptions&)>;

// x: [B, L, H] -> [B, L, H].  q, k, v = q_proj(x), k_proj(x), v_proj(x);  q, k = rope(q), rope(k);
// x = o_proj(softmax(q @ k^T * head_dim^-0.5 + mask) @ v)
// head_dim^-0.5 is folded into q_proj, so that no product of q and k overflows half precision.
Value self_attn(Value x, const TextConfig& c, const Module& layer, const Attend& attend) {
  const Module m = layer.at("self_attn");
  const float scale = static_cast<float>(1 / std::sqrt(static_cast<double>(c.head_dim)));
  Value q = project(x, m, "q_proj", c.num_attention_heads * c.head_dim, scale);
  Value k = project(x, m, "k_proj", c.num_key_value_heads * c.head_dim);
  Value v = project(x, m, "v_proj", c.num_key_value_heads * c.head_dim);
  x = attend(q, k, v, {.heads = c.num_attention_heads, .key_value_heads = c.num_key_value_heads, .head_dim = c.head_dim});
  return project(x, m, "o_proj", c.hidden_size);
}

// down_proj(silu(gate_proj(x)) * up_proj(x))
Value mlp(Value x, const TextConfig& c, const Module& layer) {
  const Module m = layer.at("mlp");
  Value gate = silu(project(x, m, "gate_proj", c.intermediate_size));
  Value up = project(x, m, "up_proj", c.intermediate_size);
  return project(mul(gate, up), m, "down_proj", c.hidden_size);
}

Value normalized(Value x, const TextConfig& config, const Module& layer, const char* name) {
  const Module m = layer.at(name);
  return norm(x, config, m);
}

// x = x + self_attn(input_layernorm(x));  x = x + mlp(post_attention_layernorm(x))
Value decoder_layer(Value x, const TextConfig& config, const Module& m, const Attend& attend) {
  Value mixed = self_attn(normalized(x, config, m, "input_layernorm"), config, m, attend);
  x = add(x, mixed);
  Value fed = mlp(normalized(x, config, m, "post_attention_layernorm"), config, m);
  return m.named(add(x, fed));
}

Module layer_at(const Module& model, std::int64_t index) { return model.at("model.layers." + std::to_string(index)); }

}  // namespace

// cos, sin = rotary_emb(positions);  x = layer(x, cos, sin, mask) for each layer;  x = norm(x)
Value qwen2_decoder(Value x, const TextConfig& config, const Module& model) {
  Positions positions = [&] {
    const Module m = model.at("model.rotary_emb");
    return causal_positions(x, config.head_dim, config.rope_theta);
  }();
  Attend attend = [&](Value q, Value k, Value v, const RotaryAttentionOptions& o) { return rotary_attention(q, k, v, positions, o); };
  for (std::int64_t i = 0; i < config.num_hidden_layers; ++i) x = decoder_layer(x, config, layer_at(model, i), attend);
  return qwen2_norm(x, config, model);
}

CachedLayers qwen2_cached_layers(Value hidden, const CachedInputs& inputs, const TextConfig& config, const Module& model) {
  CachedLayers result{.hidden = hidden};
  for (std::int64_t i = inputs.begin; i < inputs.end; ++i) {
    const PastKeyValue& mine = inputs.past[static_cast<std::size_t>(i - inputs.begin)];
    Attend attend = [&](Value q, Value k, Value v, const RotaryAttentionOptions& o) {
      CachedAttention attention = cached_rotary_attention(q, k, v, inputs.positions, mine, o);
      result.present.push_back({attention.key, attention.value});
      return attention.output;
    };
    result.hidden = decoder_layer(result.hidden, config, layer_at(model, i), attend);
  }
  return result;
}

Value qwen2_norm(Value x, const TextConfig& config, const Module& model) {
  const Module m = model.at("model.norm");
  return m.named(norm(x, config, m));
}

// logits = x @ weight^T, weight that of embed_tokens when tied
Value qwen2_lm_head(Value x, const TextConfig& config, const Module& model) {
  const Module m = model.at(config.tie_word_embeddings ? "model.embed_tokens" : "lm_head");
  return vocabulary_logits(x, m.take("weight", {config.vocab_size, config.hidden_size}));
}

// embed_tokens(ids) = weight[ids]
Value qwen2_embed_tokens(Value input_ids, const TextConfig& config, const Module& model, Dtype dtype) {
  const Module m = model.at("model.embed_tokens");
  return embedding(input_ids, m.take("weight", {config.vocab_size, config.hidden_size}), dtype);
}

}  // namespace fastvlm::models
