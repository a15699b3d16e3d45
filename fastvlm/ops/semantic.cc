#include "fastvlm/ops/semantic.h"

#include "fastvlm/base/model_error.h"

namespace fastvlm::ops {
namespace {

std::vector<Value> node(const char* op, std::vector<Value> inputs, std::vector<OutputSpec> outputs, Attributes attributes = {}) {
  Graph& graph = inputs[0].graph();
  return graph.add_node(kSemanticDomain, op, std::move(inputs), std::move(outputs), std::move(attributes));
}

template <class... Args>
void require(bool condition, const char* op, Value at, fmt::format_string<Args...> text, Args&&... args) {
  if (!condition) model_error(op, at.graph().scope(), text, std::forward<Args>(args)...);
}

// A parameter of the current module: "<module>.weight".
Value parameter(Value x, const WeightPtr& weight, const char* suffix) {
  if (weight == nullptr) return {};
  return x.graph().add_weight(weight, x.graph().scope() + "." + suffix, x.dtype());
}

Dims with_last(Value x, const Dim& last) {
  Dims dims = x.dims();
  dims.back() = last;
  return dims;
}

Attributes head_attributes(const RotaryAttentionOptions& o) {
  return {{"heads", o.heads}, {"key_value_heads", o.key_value_heads}, {"head_dim", o.head_dim}};
}

void require_heads(const char* op, Value q, Value k, Value v, const RotaryAttentionOptions& o) {
  require(q.dim(-1) == Dim(o.heads * o.head_dim), op, q, "q is {} for {} heads of {}", to_string(q.dims()), o.heads, o.head_dim);
  require(k.dim(-1) == Dim(o.key_value_heads * o.head_dim) && k.dims() == v.dims(), op, q, "k is {}, v is {} for {} heads of {}",
          to_string(k.dims()), to_string(v.dims()), o.key_value_heads, o.head_dim);
  require(o.heads % o.key_value_heads == 0, op, q, "{} heads over {} key/value heads", o.heads, o.key_value_heads);
}

}  // namespace

Value linear(Value x, const WeightPtr& weight, const WeightPtr& bias) {
  const Shape& shape = weight->shape();
  require(shape.size() == 2 && x.dim(-1) == Dim(shape[1]), "linear", x, "weight {} for input {}", to_string(shape), to_string(x.dims()));
  require(bias == nullptr || bias->shape() == Shape{shape[0]}, "linear", x, "bias {} for weight {}",
          bias == nullptr ? "" : to_string(bias->shape()), to_string(shape));
  std::vector<Value> inputs = {x, parameter(x, weight, "weight")};
  if (bias != nullptr) inputs.push_back(parameter(x, bias, "bias"));
  return node("linear", inputs, {{x.dtype(), with_last(x, shape[0])}})[0];
}

Value conv2d(Value x, const ConvWeights& weights, const ConvOptions& options) {
  // A convolution means the same everywhere; it needs no expansion.
  Value weight = parameter(x, weights.weight, "weight"), bias = parameter(x, weights.bias, "bias");
  return conv(x, weight, bias, options);
}

Value gelu(Value x) { return node("gelu", {x}, {{x.dtype(), x.dims()}})[0]; }
Value silu(Value x) { return node("silu", {x}, {{x.dtype(), x.dims()}})[0]; }
Value sigmoid(Value x) { return node("sigmoid", {x}, {{x.dtype(), x.dims()}})[0]; }

Value layer_norm(Value x, const WeightPtr& scale, const WeightPtr& bias, double epsilon) {
  Value weight = parameter(x, scale, "weight"), shift = parameter(x, bias, "bias");
  return layer_normalization(x, weight, shift, static_cast<float>(epsilon));
}

Value rms_norm(Value x, const WeightPtr& scale, double epsilon) {
  require(Dims{x.dim(-1)} == to_dims(scale->shape()), "rms_norm", x, "scale {} for input {}", to_string(scale->shape()),
          to_string(x.dims()));
  return node("rms_norm", {x, parameter(x, scale, "weight")}, {{x.dtype(), x.dims()}}, {{"epsilon", static_cast<float>(epsilon)}})[0];
}

Value tokens_of_map(Value x) {
  require(x.rank() == 4 && x.dim(2).is_static() && x.dim(3).is_static(), "tokens_of_map", x, "a map of known size is needed, not {}",
          to_string(x.dims()));
  // Channels last first: a target whose convolutions work on channels-last maps then has nothing left to move.
  return reshape(transpose(x, {0, 2, 3, 1}), {x.dim(0), x.dim(2).value * x.dim(3).value, x.dim(1)});
}

Value map_of_tokens(Value x, std::int64_t height, std::int64_t width) {
  require(x.rank() == 3 && x.dim(1) == Dim(height * width), "map_of_tokens", x, "{} x {} places for tokens {}", height, width,
          to_string(x.dims()));
  return transpose(reshape(x, {x.dim(0), height, width, x.dim(2)}), {0, 3, 1, 2});
}

Value self_attention(Value q, Value k, Value v, std::int64_t heads) {
  require(q.rank() == 3 && q.dims() == k.dims() && k.dims() == v.dims() && q.dim(2).value % heads == 0, "self_attention", q,
          "q {}, k {}, v {} in {} heads", to_string(q.dims()), to_string(k.dims()), to_string(v.dims()), heads);
  return node("self_attention", {q, k, v}, {{q.dtype(), q.dims()}}, {{"heads", heads}})[0];
}

Value embedding(Value ids, const WeightPtr& table, Dtype dtype) {
  require(table->shape().size() == 2, "embedding", ids, "a table [vocabulary, width] is needed, not {}", to_string(table->shape()));
  Graph& graph = ids.graph();
  Value rows = graph.add_weight(table, graph.scope() + ".weight", dtype);
  Dims dims = ids.dims();
  dims.push_back(table->shape()[1]);
  return node("embedding", {ids, rows}, {{dtype, dims}})[0];
}

Value vocabulary_logits(Value x, const WeightPtr& table) {
  require(table->shape().size() == 2 && x.rank() == 3 && x.dim(-1) == Dim(table->shape()[1]), "vocabulary_logits", x,
          "table {} for input {}", to_string(table->shape()), to_string(x.dims()));
  return node("vocabulary_logits", {x, parameter(x, table, "weight")}, {{x.dtype(), with_last(x, table->shape()[0])}})[0];
}

Positions causal_positions(Value x, std::int64_t head_dim, double rope_theta) {
  const Dim length = x.dim(1);
  auto values = node("causal_positions", {x},
                     {{x.dtype(), {length, head_dim / 2}}, {x.dtype(), {length, head_dim / 2}}, {x.dtype(), {length, length}}},
                     {{"head_dim", head_dim}, {"rope_theta", rope_theta}});
  return {.cos = values[0], .sin = values[1], .mask = values[2]};
}

Positions cached_positions(Value x, Value position_ids, Value attention_mask, std::int64_t head_dim, double rope_theta) {
  const Dim batch = x.dim(0), length = x.dim(1);
  require(position_ids.dims() == Dims{batch, length} && attention_mask.rank() == 2 && attention_mask.dim(0) == batch, "cached_positions", x,
          "positions {} and mask {} for input {}", to_string(position_ids.dims()), to_string(attention_mask.dims()), to_string(x.dims()));
  auto values = node("cached_positions", {x, position_ids, attention_mask},
                     {{x.dtype(), {batch, length, head_dim / 2}},
                      {x.dtype(), {batch, length, head_dim / 2}},
                      {x.dtype(), {batch, 1, 1, length, attention_mask.dim(1)}}},
                     {{"head_dim", head_dim}, {"rope_theta", rope_theta}});
  return {.cos = values[0], .sin = values[1], .mask = values[2]};
}

Value rotary_attention(Value q, Value k, Value v, const Positions& p, const RotaryAttentionOptions& o) {
  require_heads("rotary_attention", q, k, v, o);
  return node("rotary_attention", {q, k, v, p.cos, p.sin, p.mask}, {{q.dtype(), q.dims()}}, head_attributes(o))[0];
}

namespace {

CachedAttention growing_rotary_attention(Value q, Value k, Value v, const Positions& p, const PastKeyValue& past,
                                         const RotaryAttentionOptions& o) {
  const Dims slots = {q.dim(0), o.key_value_heads, past.key.dim(2), o.head_dim};
  require(past.key.dims() == slots && past.value.dims() == slots && p.mask.rank() == 5, "cached_rotary_attention", q,
          "past key {}, value {} and mask {}", to_string(past.key.dims()), to_string(past.value.dims()), to_string(p.mask.dims()));
  const Dims grown = {q.dim(0), o.key_value_heads, p.mask.dim(4), o.head_dim};
  auto values = node("cached_rotary_attention", {q, k, v, p.cos, p.sin, p.mask, past.key, past.value},
                     {{q.dtype(), q.dims()}, {q.dtype(), grown}, {q.dtype(), grown}}, head_attributes(o));
  return {.output = values[0], .key = values[1], .value = values[2]};
}

}  // namespace

CachedAttention cached_rotary_attention(Value q, Value k, Value v, const Positions& p, const PastKeyValue& past,
                                        const RotaryAttentionOptions& o) {
  require_heads("cached_rotary_attention", q, k, v, o);
  if (past.key.rank() == 4 && !past.key.dim(2).is_static()) return growing_rotary_attention(q, k, v, p, past, o);
  const Dim tokens = q.dim(1);
  require(past.key.rank() == 4 && past.value.rank() == 4 && past.key.dim(0) == Dim(o.key_value_heads) &&
              past.value.dim(0) == Dim(o.key_value_heads) && past.key.dim(2) == Dim(o.head_dim) && past.value.dim(3) == Dim(o.head_dim) &&
              past.key.dim(3) == past.value.dim(2),
          "cached_rotary_attention", q, "past key {} and value {}", to_string(past.key.dims()), to_string(past.value.dims()));
  const Dim slots = past.key.dim(3);
  require(tokens.is_static() && slots.is_static() && p.mask.dims() == Dims{1, 1, tokens, slots.value + tokens.value},
          "cached_rotary_attention", q, "mask {} for {} tokens behind {} slots", to_string(p.mask.dims()), tokens.value, slots.value);
  auto values = node("cached_rotary_attention", {q, k, v, p.cos, p.sin, p.mask, past.key, past.value},
                     {{q.dtype(), q.dims()},
                      {q.dtype(), {o.key_value_heads, 1, o.head_dim, tokens}},
                      {q.dtype(), {o.key_value_heads, 1, tokens, o.head_dim}}},
                     head_attributes(o));
  return {.output = values[0], .key = values[1], .value = values[2]};
}

}  // namespace fastvlm::ops
