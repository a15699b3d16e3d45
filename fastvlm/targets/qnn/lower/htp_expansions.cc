#include "fastvlm/targets/qnn/lower/htp_expansions.h"

#include "fastvlm/base/model_error.h"
#include "fastvlm/ops/basic.h"
#include "fastvlm/ops/reference.h"
#include "fastvlm/ops/rescale.h"

namespace fastvlm::qnn {
namespace {

using namespace ops;

std::int64_t fixed(const ExpansionContext& context, Value x, int axis) {
  if (!x.dim(axis).is_static())
    model_error(context.node().op, context.graph().scope(), "HTP takes no symbolic extents, but the input is {}", to_string(x.dims()));
  return x.dim(axis).value;
}

// One node: 3 dB more accurate in emulation than the chain of primitives, whose squares overflow half precision above 255.
std::vector<Value> expand_rms_norm(const ExpansionContext& context) {
  Value x = context.input(0);
  return {simplified_layer_normalization(x, context.input(1), context.node().real("epsilon"))};
}

// HTP joins an activation with the convolution or fully connected layer in front of it and then computes it to 43-50 dB
// instead of 64 (measured in emulation, v73 and newer). A Clip to the range of half precision changes no number and stands
// between them. GELU is kept apart by its form.
Value keep_apart(Value x) { return clip(x, -kLargestHalf, kLargestHalf); }

// gelu(x) = relu(x) + gelu(-|x|).  HTP's Gelu is 0.1 % too large for x above 4, which adds up over the forty of a tower; below
// zero it is not. The plug-in takes the Erf chain for one Gelu; a com.microsoft.Gelu would get a Transpose on either side.
// A scaled x is scaled back for the second part only, which is zero below -16: cut there, nothing overflows.
// The other forms are for inputs where they lose nothing: see export/gelu_forms.h. A scaled one is exact.
std::vector<Value> expand_gelu(const ExpansionContext& context) {
  Value x = context.input(0);
  const float scale = scale_of(context.node());
  if (const GeluForm form = context.gelu_form(); form != GeluForm::kExact)
    return {gelu_of_erf(form == GeluForm::kFast ? keep_apart(x) : x)};
  Value positive = relu(x), below_zero = neg(abs(x));
  if (scale != 1) below_zero = times(clip(below_zero, -16 * scale, 0), 1 / scale);
  return {add(positive, times(gelu_of_erf(below_zero), scale))};
}

// In integers a chain of primitives would be rounded at each step.
std::vector<Value> expand_gelu_in_integers(const ExpansionContext& context) { return {gelu_node(context.input(0))}; }

// The sigmoid of the true number behind a scaled one. It is 0 or 1 beyond 88.
Value sigmoid_of(Value x, float scale) {
  return sigmoid_node(scale == 1 ? keep_apart(x) : times(clip(x, -88 * scale, 88 * scale), 1 / scale));
}

std::vector<Value> expand_sigmoid(const ExpansionContext& context) { return {sigmoid_of(context.input(0), scale_of(context.node()))}; }

std::vector<Value> expand_silu(const ExpansionContext& context) {
  Value x = context.input(0);
  return {mul(x, sigmoid_of(x, scale_of(context.node())))};
}

// One MatMul pair for each head on plain slices; only the keys are turned, once.
std::vector<Value> expand_self_attention(const ExpansionContext& context) {
  const std::int64_t heads = context.node().integer("heads");
  auto q = split_evenly(context.input(0), 2, heads);
  auto k = split_evenly(transpose(context.input(1), {0, 2, 1}), 1, heads);
  auto v = split_evenly(context.input(2), 2, heads);
  std::vector<Value> mixed;
  for (std::size_t head = 0; head < q.size(); ++head) mixed.push_back(matmul(softmax(matmul(q[head], k[head])), v[head]));
  return {concat(mixed, 2)};
}

// [1, A, heads*d] with the axes of `to` = permutation of (1, A, heads, d).  One token needs no Transpose, a Reshape does.
Value head_view(Value x, std::int64_t heads, const std::vector<std::int64_t>& permutation) {
  const std::int64_t tokens = x.dim(1).value, d = x.dim(2).value / heads;
  const Shape parts = {1, tokens, heads, d};
  if (tokens > 1) return transpose(reshape(x, to_dims(parts)), permutation);
  Dims turned;
  for (std::int64_t axis : permutation) turned.push_back(parts[static_cast<std::size_t>(axis)]);
  return reshape(x, turned);
}

Value turned_table(Value table) {  // [1, 1, A, d/2] -> [1, 1, d/2, A]
  if (table.dim(2) == Dim(1)) return reshape(table, {1, 1, table.dim(3), 1});
  return transpose(table, {0, 1, 3, 2});
}

struct Heads {
  std::int64_t query = 0;
  std::int64_t key_value = 0;
  std::int64_t size = 0;
};

Heads heads_of(const Node& node) {
  return {.query = node.integer("heads"), .key_value = node.integer("key_value_heads"), .size = node.integer("head_dim")};
}

// q [1, heads, A, d], keys [kv, 1, d, C], values [kv, 1, C, d], mask [1, 1, A, C] -> [1, A, heads*d].
Value attend_head_by_head(Value q, Value keys, Value values, Value mask, const Heads& heads) {
  auto queries = split_evenly(q, 1, heads.query);
  auto key = split_evenly(keys, 0, heads.key_value), value = split_evenly(values, 0, heads.key_value);
  const auto group = static_cast<std::size_t>(heads.query / heads.key_value);
  std::vector<Value> mixed;
  for (std::size_t head = 0; head < queries.size(); ++head) {
    Value scores = add(matmul(queries[head], key[head / group]), mask);
    mixed.push_back(matmul(softmax(scores), value[head / group]));
  }
  return reshape(concat(mixed, 3), {1, q.dim(2), heads.query * heads.size});
}

struct Rotated {
  Value q;      // [1, heads, A, d]
  Value key;    // [kv, 1, d, A]
  Value value;  // [kv, 1, A, d]
};

Rotated rotate(const ExpansionContext& context, Value cos, Value sin, const Heads& heads) {
  Value q = rotate_half_split(head_view(context.input(0), heads.query, {0, 2, 1, 3}), cos, sin, 3);
  Value turned_sin = turned_table(sin), turned_cos = turned_table(cos);
  Value key = rotate_half_split(head_view(context.input(1), heads.key_value, {2, 0, 3, 1}), turned_cos, turned_sin, 2);
  return {.q = q, .key = key, .value = head_view(context.input(2), heads.key_value, {2, 0, 1, 3})};
}

std::vector<Value> expand_cached_rotary_attention(const ExpansionContext& context) {
  const Heads heads = heads_of(context.node());
  fixed(context, context.input(0), 1);
  Rotated fresh = rotate(context, context.input(3), context.input(4), heads);
  Value keys = concat({context.input(6), fresh.key}, 3);
  Value values = concat({context.input(7), fresh.value}, 2);
  return {attend_head_by_head(fresh.q, keys, values, context.input(5), heads), fresh.key, fresh.value};
}

std::vector<Value> expand_rotary_attention(const ExpansionContext& context) {
  const Heads heads = heads_of(context.node());
  const std::int64_t length = fixed(context, context.input(0), 1);
  auto table = [&](std::size_t i) { return reshape(context.input(i), {1, 1, length, heads.size / 2}); };
  Value mask = reshape(context.input(5), {1, 1, length, length});
  Value sin = table(4), cos = table(3);
  Rotated fresh = rotate(context, cos, sin, heads);
  return {attend_head_by_head(fresh.q, fresh.key, fresh.value, mask, heads)};
}

// Constant tables; the mask stays well inside half precision.
std::vector<Value> expand_causal_positions(const ExpansionContext& context) {
  const std::int64_t length = fixed(context, context.input(0), 1), d = context.node().integer("head_dim");
  const Dtype dtype = context.input(0).dtype();
  RotaryTables tables = rotary_tables(0, length, d, context.node().wide("rope_theta"));
  std::vector<float> mask(static_cast<std::size_t>(length * length), 0.0f);
  for (std::int64_t row = 0; row < length; ++row) std::fill_n(mask.begin() + row * length + row + 1, length - row - 1, kMaskHidden);
  Graph& graph = context.graph();
  return {floats(graph, dtype, {length, d / 2}, tables.cos), floats(graph, dtype, {length, d / 2}, tables.sin),
          floats(graph, dtype, {length, length}, mask)};
}

// A fully connected layer takes its weight as [out, in], which is how the table lies on disk.
std::vector<Value> expand_vocabulary_logits(const ExpansionContext& context) {
  // Blocks of integers run whole in a float graph (v69 and newer, 4 and 8 bits) and stay codes in the context.
  if (is_in_blocks(context.source(1))) return {linear_in_blocks(context)};
  Value x = context.input(0), table = context.input(1);
  const std::int64_t tokens = fixed(context, x, 1);
  Value rows = gemm_transposed(reshape(x, {tokens, x.dim(2)}), table);
  return {reshape(rows, {1, tokens, table.dim(0)})};
}

}  // namespace

const ExpansionTable& htp_expansions() {
  static const ExpansionTable table = [] {
    ExpansionTable rows = reference_expansions();
    rows["gelu"] = expand_gelu;
    rows["sigmoid"] = expand_sigmoid;
    rows["silu"] = expand_silu;
    rows["rms_norm"] = expand_rms_norm;
    rows["self_attention"] = expand_self_attention;
    rows["rotary_attention"] = expand_rotary_attention;
    rows["cached_rotary_attention"] = expand_cached_rotary_attention;
    rows["causal_positions"] = expand_causal_positions;
    rows["vocabulary_logits"] = expand_vocabulary_logits;
    return rows;
  }();
  return table;
}

const ExpansionTable& htp_integer_expansions() {
  static const ExpansionTable table = [] {
    ExpansionTable rows = htp_expansions();
    rows["gelu"] = expand_gelu_in_integers;
    return rows;
  }();
  return table;
}

}  // namespace fastvlm::qnn
