#include "fastvlm/models/decoder/qwen2.h"

#include <cmath>
#include <functional>

namespace fastvlm::models {
namespace {

using namespace ops;

Value project(Value x, const char* name, std::int64_t out, const Weights& w, float scale = 1) {
  Scope scope(x.graph(), name);
  Weights weights = w.at(name);
  WeightPtr weight = weights.take("weight", {out, x.dim(-1).value});
  WeightPtr bias = weights.has("bias") ? weights.take("bias", {out}) : nullptr;
  if (scale != 1) {
    const std::vector<float> factors(static_cast<std::size_t>(out), scale);
    weight = weight->scaled_rows(factors, "fold attention scale");
    if (bias != nullptr) bias = bias->scaled_rows(factors, "fold attention scale");
  }
  return linear(x, weight, bias);
}

Value norm(Value x, const char* name, const TextConfig& config, const Weights& w) {
  Scope scope(x.graph(), name);
  return rms_norm(x, w.at(name).take("weight", {config.hidden_size}), config.rms_norm_eps);
}

using Attend = std::function<Value(Value q, Value k, Value v, const RotaryAttentionOptions&)>;

// x: [B, L, H] -> [B, L, H].  1/sqrt(head_dim) is folded into q_proj, so that no product of q and k overflows half precision.
Value self_attn(Value x, const TextConfig& c, const Weights& w, const Attend& attend) {
  Scope scope(x.graph(), "self_attn");
  const float scale = static_cast<float>(1 / std::sqrt(static_cast<double>(c.head_dim)));
  Value q = project(x, "q_proj", c.num_attention_heads * c.head_dim, w, scale);
  Value k = project(x, "k_proj", c.num_key_value_heads * c.head_dim, w);
  Value v = project(x, "v_proj", c.num_key_value_heads * c.head_dim, w);
  Value mixed = attend(q, k, v, {.heads = c.num_attention_heads, .key_value_heads = c.num_key_value_heads, .head_dim = c.head_dim});
  return project(mixed, "o_proj", c.hidden_size, w);
}

// (silu(x Wg) * (x Wu)) Wd
Value mlp(Value x, const TextConfig& c, const Weights& w) {
  Scope scope(x.graph(), "mlp");
  Value gate = silu(project(x, "gate_proj", c.intermediate_size, w));
  return project(mul(gate, project(x, "up_proj", c.intermediate_size, w)), "down_proj", c.hidden_size, w);
}

Value decoder_layer(Value x, const TextConfig& config, const Weights& w, const Attend& attend) {
  x = add(x, self_attn(norm(x, "input_layernorm", config, w), config, w.at("self_attn"), attend));
  return add(x, mlp(norm(x, "post_attention_layernorm", config, w), config, w.at("mlp")));
}

std::string layer_path(std::int64_t index) { return "model.layers." + std::to_string(index); }

Value layer_at(Value x, std::int64_t index, const TextConfig& config, const Weights& w, const Attend& attend) {
  Graph& graph = x.graph();
  Scope scope(graph, layer_path(index));
  x = decoder_layer(x, config, w.at("model.layers").at(static_cast<std::size_t>(index)), attend);
  graph.rename(x, layer_path(index));
  return x;
}

}  // namespace

Value qwen2_decoder(Value x, const TextConfig& config, const Weights& w) {
  Positions positions = [&] {
    Scope scope(x.graph(), "model.rotary_emb");
    return causal_positions(x, config.head_dim, config.rope_theta);
  }();
  Attend attend = [&](Value q, Value k, Value v, const RotaryAttentionOptions& o) { return rotary_attention(q, k, v, positions, o); };
  for (std::int64_t i = 0; i < config.num_hidden_layers; ++i) x = layer_at(x, i, config, w, attend);
  return qwen2_norm(x, config, w);
}

CachedLayers qwen2_cached_layers(Value hidden, const TextConfig& config, const Weights& w, LayerRange layers, const Positions& positions,
                                 const std::vector<PastKeyValue>& past) {
  CachedLayers result{.hidden = hidden};
  for (std::int64_t i = layers.begin; i < layers.end; ++i) {
    const PastKeyValue& mine = past[static_cast<std::size_t>(i - layers.begin)];
    Attend attend = [&](Value q, Value k, Value v, const RotaryAttentionOptions& o) {
      CachedAttention attention = cached_rotary_attention(q, k, v, positions, mine, o);
      result.present.push_back({attention.key, attention.value});
      return attention.output;
    };
    result.hidden = layer_at(result.hidden, i, config, w, attend);
  }
  return result;
}

Value qwen2_norm(Value x, const TextConfig& config, const Weights& w) {
  Graph& graph = x.graph();
  Scope scope(graph, "model");
  Value y = norm(x, "norm", config, w.at("model"));
  graph.rename(y, "model.norm");
  return y;
}

Value qwen2_lm_head(Value x, const TextConfig& config, const Weights& w) {
  const char* module = config.tie_word_embeddings ? "model.embed_tokens" : "lm_head";
  Scope scope(x.graph(), module);
  return vocabulary_logits(x, w.at(module).take("weight", {config.vocab_size, config.hidden_size}));
}

Value qwen2_embed_tokens(Value input_ids, const TextConfig& config, const Weights& w, Dtype dtype) {
  Scope scope(input_ids.graph(), "model.embed_tokens");
  return embedding(input_ids, w.at("model.embed_tokens").take("weight", {config.vocab_size, config.hidden_size}), dtype);
}

std::int64_t qwen2_macs_per_token(const TextConfig& c, std::int64_t past) {
  const std::int64_t attention = c.hidden_size * c.head_dim * 2 * (c.num_attention_heads + c.num_key_value_heads);
  return c.num_hidden_layers * (attention + 3 * c.hidden_size * c.intermediate_size + 2 * c.num_attention_heads * c.head_dim * (past + 1));
}

}  // namespace fastvlm::models
