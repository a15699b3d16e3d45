#include "fastvlm/ops/onnxruntime_expansions.h"

#include "fastvlm/ops/basic.h"
#include "fastvlm/ops/reference.h"
#include "fastvlm/tensor/column_quantise.h"

namespace fastvlm::ops {
namespace {

constexpr std::int64_t kActivationsOfEightBits = 4;  // accuracy_level of MatMulNBits

std::vector<Value> as_reference(const char* op, const ExpansionContext& context) { return reference_expansions().at(op)(context); }

std::vector<Value> expand_rms_norm(const ExpansionContext& context) {
  Value x = context.input(0);
  // In half precision not every ONNX Runtime has it.
  if (x.dtype() != Dtype::kFloat32) return as_reference("rms_norm", context);
  return {simplified_layer_normalization(x, context.input(1), context.node().real("epsilon"))};
}

// codes int8 [K, N], scales [K / block, N] -> numbers [K, N].
Value dequantize_in_blocks(Value codes, Value scales, std::int64_t block) {
  return codes.graph().add_node("", "DequantizeLinear", {codes, scales}, {{scales.dtype(), codes.dims()}},
                                {{"axis", std::int64_t{0}}, {"block_size", block}})[0];
}

Value product_in_blocks(const ExpansionContext& context) {
  const BlockFormat format = context.source(1).encoding->blocks;
  if (format.bits == kHalfPrecision) {
    Value weight = context.graph().add_weight(context.weight(1)->transposed(), context.source(1).name, Dtype::kFloat16);
    return matmul(context.input(0), cast(weight, context.input(0).dtype()));
  }
  if (format.bits == 8) {
    const QuantisedWeight weight = quantised_in_column_blocks(context.weight(1), format.block);
    Value codes = context.graph().add_weight(weight.codes, context.source(1).name + ":codes", Dtype::kInt8);
    return matmul(context.input(0), dequantize_in_blocks(codes, context.add_weight(weight.scales, 1, ":scales"), format.block));
  }
  return matmul_in_blocks(context.input(0), weight_in_blocks(context, 1), format, kActivationsOfEightBits);
}

std::vector<Value> expand_linear(const ExpansionContext& context) {
  if (!is_in_blocks(context.source(1))) return as_reference("linear", context);
  Value product = product_in_blocks(context);
  return {context.input_count() > 2 ? add(product, context.input(2)) : product};
}

// The table lies transposed: on the CPU one row times a table that lies the other way takes twice as long.
std::vector<Value> expand_vocabulary_logits(const ExpansionContext& context) {
  if (is_in_blocks(context.source(1))) return {product_in_blocks(context)};
  return {matmul(context.input(0), context.add_weight(context.weight(1)->transposed(), 1))};
}

std::vector<Value> expand_cached_rotary_attention(const ExpansionContext& context) {
  Value q = context.input(0);
  // In half precision not every ONNX Runtime has the operator.
  if (q.dtype() != Dtype::kFloat32) return as_reference("cached_rotary_attention", context);
  // Angles of all tokens one below the other, and which row is whose.
  auto below = [&](Value angles) { return reshape(angles, {"tokens_of_all_rows", angles.dim(2)}); };
  Value cos = below(context.input(3)), sin = below(context.input(4));
  Value length = extent_of(q, 1), sequences = unsqueeze(range_along(q, 0), {1}), tokens = unsqueeze(range_along(q, 1), {0});
  Value first = mul(sequences, length);
  Value rows = add(first, tokens);
  return attention_of_rotated(context, [&](Value x, std::int64_t heads) {
    return reshape(rotary_embedding(x, rows, cos, sin), {x.dim(0), x.dim(1), heads, x.dim(2).value / heads});
  });
}

}  // namespace

const ExpansionTable& onnxruntime_expansions() {
  static const ExpansionTable table = [] {
    ExpansionTable rows = reference_expansions();
    rows["rms_norm"] = expand_rms_norm;
    rows["cached_rotary_attention"] = expand_cached_rotary_attention;
    rows["linear"] = expand_linear;
    rows["vocabulary_logits"] = expand_vocabulary_logits;
    return rows;
  }();
  return table;
}

}  // namespace fastvlm::ops
