#include "fastvlm/targets/qnn/check/op_rules.h"

#include <array>
#include <map>

#include "fastvlm/targets/qnn/check/op_conditions.h"

namespace fastvlm::qnn {
namespace {

constexpr std::string_view kMicrosoft = kMicrosoftDomain;

constexpr OpRule ok(std::string_view op, std::string_view domain = "") { return {.op = op, .domain = domain}; }
constexpr OpRule check(std::string_view op, OpCondition condition, std::string_view domain = "") {
  return {.op = op, .domain = domain, .verdict = RuleVerdict::kConditional, .condition = condition};
}
constexpr OpRule refused(std::string_view op, std::string_view advice, std::string_view domain = "",
                         std::string_view reason = "the backend has no such operator") {
  return {.op = op, .domain = domain, .verdict = RuleVerdict::kRefused, .reason = reason, .advice = advice};
}

constexpr std::string_view kUsePrimitives = "write it as Transpose, MatMul, Softmax and elementwise operators";
constexpr std::string_view kFold = "compute it while exporting and store a constant";
constexpr std::string_view kRewrite = "write it with other operators";

constexpr std::array kRules = {
    // Elementwise
    ok("Abs"),
    ok("Add"),
    ok("And"),
    ok("Atan"),
    ok("Ceil"),
    ok("Cos"),
    ok("Div"),
    ok("Elu"),
    ok("Equal"),
    ok("Exp"),
    ok("Floor"),
    ok("Greater"),
    ok("GreaterOrEqual"),
    ok("HardSigmoid"),
    ok("HardSwish"),
    ok("IsNaN"),
    ok("LeakyRelu"),
    ok("Less"),
    ok("LessOrEqual"),
    ok("Log"),
    ok("Max"),
    ok("Min"),
    ok("Mish"),
    ok("Mul"),
    ok("Neg"),
    ok("Not"),
    ok("Or"),
    ok("PRelu"),
    ok("Pow"),
    ok("Reciprocal"),
    ok("Relu"),
    ok("Round"),
    ok("Selu"),
    ok("Sigmoid"),
    ok("Sign"),
    ok("Sin"),
    ok("Softplus"),
    ok("Sqrt"),
    ok("Sub"),
    ok("Sum"),
    ok("Swish"),
    ok("Tan"),
    ok("Tanh"),
    ok("ThresholdedRelu"),
    ok("Where"),
    ok("Xor"),
    ok("Gelu"),
    ok("Gelu", kMicrosoft),
    ok("QuickGelu", kMicrosoft),
    ok("Cast"),
    ok("CastLike"),
    ok("Identity"),
    check("Erf", check_erf),
    check("Clip", check_needs_all_fixed),
    refused("Acos", kRewrite),
    refused("Acosh", kRewrite),
    refused("Asin", kRewrite),
    refused("Asinh", kRewrite),
    refused("Atanh", kRewrite),
    refused("Celu", kRewrite),
    refused("Cosh", kRewrite),
    refused("Sinh", kRewrite),
    refused("IsInf", kRewrite),
    refused("Shrink", kRewrite),
    refused("Softsign", kRewrite),
    refused("BitShift", kRewrite),
    check("Dropout", check_dropout),
    refused("BiasGelu", "write Add, then Gelu", kMicrosoft),
    refused("FastGelu", "write Gelu", kMicrosoft),
    // Mod was refused for float and taken for int32; the type decides.
    OpRule{.op = "Mod",
           .verdict = RuleVerdict::kConditional,
           .condition =
               [](const NodeContext& c, OpIssues& out) {
                 if (const OnnxType* type = c.type(0); type != nullptr && type->dtype && is_float(*type->dtype))
                   out.push_back({.reason = "Mod of floats is refused", .advice = "write x - floor(x / y) * y"});
               }},
    // Matrices and convolutions
    ok("Conv"),
    ok("ConvTranspose"),
    ok("MatMulNBits", kMicrosoft),
    ok("FusedMatMul", kMicrosoft),
    ok("QLinearMatMul"),
    ok("MatMul"),
    check("Gemm", check_gemm),
    check("Einsum", check_einsum),
    refused("MatMulInteger", "use MatMul between DequantizeLinear and QuantizeLinear"),
    refused("ConvInteger", "use Conv between DequantizeLinear and QuantizeLinear"),
    // Normalisation
    ok("InstanceNormalization"),
    ok("GroupNormalization"),
    ok("LRN"),
    check("Softmax", check_softmax),
    check("LogSoftmax", check_softmax),
    check("LayerNormalization", check_layer_norm),
    check("RMSNormalization", check_rms_norm),
    check("SimplifiedLayerNormalization", check_rms_norm),
    check("LpNormalization", check_lp_normalization),
    check("BatchNormalization", check_needs_all_fixed),
    refused("Hardmax", kRewrite),
    refused("SkipLayerNormalization", "write Add, then LayerNormalization", kMicrosoft),
    refused("SkipSimplifiedLayerNormalization", "write Add, then SimplifiedLayerNormalization", kMicrosoft),
    refused("MeanVarianceNormalization", "write InstanceNormalization"),
    // Reductions and pooling
    ok("ReduceLogSumExp"),
    ok("GlobalAveragePool"),
    ok("GlobalMaxPool"),
    check("ReduceMean", check_reduce_mean),
    check("ReduceSum", check_reduce_mean),
    check("ReduceMax", check_needs_all_fixed),
    check("ReduceMin", check_needs_all_fixed),
    check("ReduceL2", check_needs_all_fixed),
    check("AveragePool", check_average_pool),
    check("MaxPool", check_max_pool),
    check("ArgMax", check_arg_max),
    check("ArgMin", check_arg_max),
    check("TopK", check_needs_all_fixed),
    check("CumSum", check_cumsum),
    refused("ReduceL1", "write Abs, then ReduceSum"),
    refused("ReduceLogSum", "write ReduceSum, then Log"),
    refused("ReduceProd", kRewrite),
    refused("ReduceSumSquare", "write Mul, then ReduceSum"),
    refused("GlobalLpPool", kRewrite),
    // Shapes and movement
    ok("Concat"),
    ok("Constant"),
    ok("DepthToSpace"),
    ok("Flatten"),
    ok("Gather"),
    ok("GatherElements"),
    ok("GatherND"),
    ok("GridSample"),
    ok("ScatterElements"),
    ok("ScatterND"),
    ok("Shape"),
    ok("SpaceToDepth"),
    ok("Transpose"),
    ok("Upsample"),
    check("Expand", check_expand),
    check("Pad", check_needs_all_fixed),
    check("Reshape", check_needs_all_fixed),
    check("Resize", check_needs_all_fixed),
    check("Slice", check_needs_all_fixed),
    check("Split", check_needs_all_fixed),
    check("Squeeze", check_needs_all_fixed),
    check("Tile", check_needs_all_fixed),
    check("Unsqueeze", check_needs_all_fixed),
    check("Range", check_needs_fixed_values),
    check("ConstantOfShape", check_needs_fixed_values),
    refused("Trilu", kFold),
    refused("EyeLike", kFold),
    refused("Size", kFold),
    refused("NonZero", kFold),
    refused("Unique", kFold),
    refused("Det", kFold),
    refused("Col2Im", kRewrite),
    refused("MaxUnpool", kRewrite),
    refused("NonMaxSuppression", "leave it to the CPU, outside of the graph"),
    refused("SplitToSequence", "write Split"),
    refused("ConcatFromSequence", "write Concat"),
    OpRule{.op = "TensorScatter",
           .verdict = RuleVerdict::kRefused,
           .reason = "the backend has no such operator",
           .advice = "write ScatterND",
           .source = kPluginSource},
    // Quantisation
    ok("QuantizeLinear"),
    ok("DequantizeLinear"),
    ok("QuantizeLinear", kMicrosoft),
    ok("DequantizeLinear", kMicrosoft),
    ok("DynamicQuantizeLinear"),
    // Whole layers
    ok("GRU"),
    ok("LSTM"),
    ok("Attention"),
    ok("RotaryEmbedding"),
    refused("RotaryEmbedding", "write Split, Mul, Sub, Add, Concat", kMicrosoft),
    refused("MultiHeadAttention", kUsePrimitives, kMicrosoft),
    refused("GroupQueryAttention", kUsePrimitives, kMicrosoft),
    refused("Attention", kUsePrimitives, kMicrosoft),
    // Control
    check("If", check_branches),
    check("RandomNormalLike", check_random),
    check("RandomUniformLike", check_random),
    OpRule{.op = "Loop",
           .verdict = RuleVerdict::kRefused,
           .reason = "the backend has no loops",
           .advice = "unroll it",
           .source = kPluginSource},
    OpRule{.op = "Scan",
           .verdict = RuleVerdict::kRefused,
           .reason = "the backend has no loops",
           .advice = "unroll it",
           .source = kPluginSource},
};

}  // namespace

std::span<const OpRule> op_rules() { return kRules; }

const OpRule* find_op_rule(std::string_view domain, std::string_view op) {
  static const auto index = [] {
    std::map<std::pair<std::string_view, std::string_view>, const OpRule*> rows;
    for (const OpRule& rule : kRules) rows.emplace(std::pair(rule.domain, rule.op), &rule);
    return rows;
  }();
  const auto found = index.find({domain, op});
  return found == index.end() ? nullptr : found->second;
}

bool NodeContext::is_fixed(std::size_t i) const { return !has_input(i) || index.is_constant(input(i)) || folded.contains(input(i)); }

int NodeContext::rank(std::size_t i) const {
  const OnnxType* known = type(i);
  return known == nullptr || !known->has_shape ? -1 : static_cast<int>(known->dims.size());
}

}  // namespace fastvlm::qnn
