#include "fastvlm/targets/qnn/check/op_conditions.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "fastvlm/tensor/convert.h"

namespace fastvlm::qnn {
namespace {

constexpr int kMaxRank = 5;
constexpr double kMaxHalf = 65504;
constexpr double kMinHalf = 6e-8;  // the smallest half above 0

void warn(OpIssues& out, std::string reason, std::string advice = "", std::string_view source = kMeasured) {
  out.push_back({Verdict::kWarning, std::move(reason), std::move(advice), source});
}
void refuse(OpIssues& out, std::string reason, std::string advice = "", std::string_view source = kMeasured) {
  out.push_back({Verdict::kRefused, std::move(reason), std::move(advice), source});
}

void refuse_computed(const NodeContext& c, std::size_t i, OpIssues& out) {
  refuse(out, fmt::format("\"{}\" is computed while running, and {} needs a constant there", c.input(i), c.node.op),
         "store it as a constant");
}

bool is_one_of(const OnnxNode& node, std::initializer_list<std::string_view> ops) {
  return node.domain.empty() && std::find(ops.begin(), ops.end(), node.op) != ops.end();
}

// Every value that the node touches, each once.
std::set<std::string> values_of(const OnnxNode& node) {
  std::set<std::string> values(node.inputs.begin(), node.inputs.end());
  values.insert(node.outputs.begin(), node.outputs.end());
  values.erase("");
  return values;
}

// "batch, seq_len", or "" when only extents without a name of their own are open.
std::string symbols_of(const Dims& dims) {
  std::string text;
  for (const Dim& dim : dims)
    if (!dim.is_static() && dim.symbol != kUnknownExtent) text += (text.empty() ? "" : ", ") + dim.symbol;
  return text;
}

// An axis that the node names, from the begin; -1 when the rank is not known.
int axis_of(const NodeContext& c, std::int64_t otherwise) {
  const int rank = c.rank(0);
  const std::int64_t axis = c.node.integer("axis", otherwise);
  if (rank < 0 || axis < -rank || axis >= rank) return -1;
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}
bool is_last_axis(const NodeContext& c, std::int64_t otherwise) {
  const std::int64_t axis = c.node.integer("axis", otherwise);
  return axis == -1 || (c.rank(0) >= 0 && axis_of(c, otherwise) == c.rank(0) - 1);
}

// The plugin merges Reshape -> Transpose -> Reshape into one, so the six axes in between never reach the backend.
bool is_inside_merged_reshapes(const NodeContext& c, const std::string& value) {
  const OnnxNode* maker = c.index.producer(value);
  const auto& users = c.index.users(value);
  if (maker == nullptr || users.size() != 1 || c.index.is_output(value)) return false;
  const bool before = maker->op == "Reshape" && users[0]->op == "Transpose";
  const bool after = maker->op == "Transpose" && users[0]->op == "Reshape";
  return before || after;
}

bool is_close(std::optional<double> value, double expected) { return value && std::abs(*value - expected) <= 1e-3 * std::abs(expected); }

// The other input of a two-input node.
const std::string& other_input(const OnnxNode& node, const std::string& input) {
  return node.inputs[0] == input ? node.inputs[1] : node.inputs[0];
}

// The only user of a value, when it is a node of that operator with two inputs.
const OnnxNode* only_user(const OnnxIndex& index, const std::string& value, std::string_view op) {
  const auto& users = index.users(value);
  if (users.size() != 1 || index.is_output(value) || users[0]->op != op || users[0]->inputs.size() != 2) return nullptr;
  return users[0];
}

bool is_half_of(const OnnxIndex& index, const std::string& value, const std::string& x) {
  const OnnxNode* node = index.producer(value);
  if (node == nullptr || node->op != "Mul" || node->inputs.size() != 2) return false;
  return (node->inputs[0] == x && is_close(index.scalar(node->inputs[1]), 0.5)) ||
         (node->inputs[1] == x && is_close(index.scalar(node->inputs[0]), 0.5));
}

// Whether the value 1 + erf(.) ends in x * 0.5 * it, in any of the three orders that were taken.
bool ends_as_gelu(const OnnxIndex& index, const std::string& one_plus_erf, const std::string& x) {
  const OnnxNode* product = only_user(index, one_plus_erf, "Mul");
  if (product == nullptr) return false;
  const std::string& factor = other_input(*product, one_plus_erf);
  if (is_half_of(index, factor, x)) return true;
  const bool by_x = factor == x, by_half = is_close(index.scalar(factor), 0.5);
  if (!by_x && !by_half) return false;
  const OnnxNode* last = only_user(index, product->outputs[0], "Mul");
  if (last == nullptr) return false;
  const std::string& rest = other_input(*last, product->outputs[0]);
  return by_x ? is_close(index.scalar(rest), 0.5) : rest == x;
}

enum class GeluMatch { kNone, kExact, kOtherConstant };

GeluMatch match_gelu(const OnnxNode& erf, const OnnxIndex& index) {
  const OnnxNode* scale = erf.inputs.empty() ? nullptr : index.producer(erf.inputs[0]);
  if (scale == nullptr || scale->inputs.size() != 2 || erf.outputs.empty()) return GeluMatch::kNone;
  const OnnxNode* sum = only_user(index, erf.outputs[0], "Add");
  if (sum == nullptr || sum->outputs.empty() || !is_close(index.scalar(other_input(*sum, erf.outputs[0])), 1)) return GeluMatch::kNone;

  for (int side = 0; side < 2; ++side) {
    const std::string& x = scale->inputs[static_cast<std::size_t>(side)];
    const std::string& constant = scale->inputs[static_cast<std::size_t>(1 - side)];
    if (!(scale->op == "Mul" || (scale->op == "Div" && side == 0)) || !index.scalar(constant)) continue;
    if (!ends_as_gelu(index, sum->outputs[0], x)) continue;
    const bool exact = is_close(index.scalar(constant), scale->op == "Div" ? std::sqrt(2.0) : std::sqrt(0.5));
    return exact ? GeluMatch::kExact : GeluMatch::kOtherConstant;
  }
  return GeluMatch::kNone;
}

}  // namespace

void check_static(const NodeContext& c, OpIssues& out) {
  for (const std::string& value : values_of(c.node)) {
    const OnnxType* type = c.index.model().type_of(value);
    // Not known is not the same as not static.
    if (type == nullptr || !type->has_shape || static_shape(type->dims).has_value()) continue;
    const std::string symbols = symbols_of(type->dims);
    return refuse(out, fmt::format("\"{}\" has the shape {}: HTP takes fixed shapes only", value, to_string(type->dims)),
                  symbols.empty() ? "give numbers to the shapes of the inputs" : fmt::format("give a number for {}", symbols));
  }
}

void check_rank(const NodeContext& c, OpIssues& out) {
  bool slow = false;
  for (const std::string& value : values_of(c.node)) {
    const OnnxType* type = c.index.model().type_of(value);
    if (type == nullptr || !type->has_shape) continue;
    const auto rank = type->dims.size();
    slow = slow || rank == kMaxRank;
    if (rank <= kMaxRank) continue;
    if (rank == 6 && is_inside_merged_reshapes(c, value)) {
      warn(out, fmt::format("\"{}\" has rank 6, which passes only because Reshape, Transpose and Reshape are merged", value),
           "keep to rank 4");
      continue;
    }
    return refuse(out, fmt::format("\"{}\" has rank {}, and HTP ends at {}", value, rank, kMaxRank), "split or merge axes; rank 4 is best");
  }
  if (slow)
    warn(out, "rank 5 is accepted but slow", "keep to rank 4: a rank-5 split of q, k and v doubled the time of a vision transformer",
         kReports);
}

void check_types(const NodeContext& c, OpIssues& out) {
  const bool moves_only = is_one_of(c.node, {"Cast", "QuantizeLinear", "DequantizeLinear", "Reshape", "Transpose", "Concat", "Slice",
                                             "Split", "Gather", "Squeeze", "Unsqueeze", "Shape"});
  const bool multiplies = is_one_of(c.node, {"MatMul", "Gemm"});
  for (const std::string& value : values_of(c.node)) {
    const OnnxType* type = c.index.model().type_of(value);
    if (type == nullptr || !type->dtype) continue;
    const Dtype dtype = *type->dtype;
    if (dtype == Dtype::kFloat64 || dtype == Dtype::kBfloat16)
      return refuse(out, fmt::format("\"{}\" is {}, which HTP does not have", value, name(dtype)),
                    "convert the model to float32 or float16");
    const bool narrow = dtype == Dtype::kInt8 || dtype == Dtype::kInt16 || dtype == Dtype::kUint8 || dtype == Dtype::kUint16;
    if (narrow && !moves_only && c.node.domain.empty() && !c.node.op.starts_with("QLinear") && c.node.op != "DynamicQuantizeLinear")
      return refuse(out, fmt::format("\"{}\" is {}, and 8- and 16-bit numbers are taken between DequantizeLinear and QuantizeLinear only",
                                     value, name(dtype)));
    if (multiplies && (dtype == Dtype::kInt32 || dtype == Dtype::kInt64))
      return refuse(out, fmt::format("\"{}\" is {}, and matrices of whole numbers are refused", value, name(dtype)), "cast to float");
  }
}

void check_constant_values(const NodeContext& c, OpIssues& out) {
  const bool computes = is_one_of(c.node, {"Add", "Sub", "Mul", "Div", "Where", "Pow", "Equal", "Greater", "Less", "GreaterOrEqual",
                                           "LessOrEqual", "Max", "Min", "Clip", "MatMul", "Gemm"});
  if (!computes) return;
  for (const std::string& value : c.node.inputs) {
    const Tensor* constant = c.index.constant(value);
    if (constant == nullptr) continue;
    if (constant->dtype == Dtype::kInt64) {
      const auto numbers = constant->int64s();
      if (std::any_of(numbers.begin(), numbers.end(), [](std::int64_t n) { return n < INT32_MIN || n > INT32_MAX; }))
        warn(out, fmt::format("\"{}\" holds numbers past int32; int64 is computed as int32, so results are wrong", value),
             "keep whole numbers within int32");
    }
    if (!is_float(constant->dtype)) continue;
    const Tensor numbers = to_float32(constant->view());
    bool infinite = false, large = false, small = false;
    for (float number : numbers.floats()) {
      infinite = infinite || !std::isfinite(number);
      large = large || std::abs(number) > kMaxHalf;
      small = small || (number != 0 && std::abs(number) < kMinHalf);
    }
    const bool is_bound = c.node.op == "Clip" || c.node.op == "Max" || c.node.op == "Min";
    if (infinite)
      warn(out, fmt::format("\"{}\" holds infinities or NaN, which NPUs handle badly", value),
           "use a finite value, such as -1000 in a mask", kReports);
    else if (large && !is_bound)
      warn(out, fmt::format("\"{}\" holds numbers past {}, which are infinite in half precision", value, kMaxHalf),
           "use a smaller value, such as -1000 in a mask");
    if (small && (c.node.op == "Mul" || c.node.op == "Div"))
      warn(out, fmt::format("\"{}\" holds numbers below {:.0e}, which are 0 in half precision", value, kMinHalf), "scale in several steps");
  }
}

void check_erf(const NodeContext& c, OpIssues& out) {
  const OnnxNode* maker = c.has_input(0) ? c.index.producer(c.input(0)) : nullptr;
  if (maker != nullptr && maker->op == "DequantizeLinear")
    return refuse(out, "Erf is refused in a quantised graph, also inside GELU",
                  "write one Gelu node between DequantizeLinear and QuantizeLinear");
  switch (match_gelu(c.node, c.index)) {
    case GeluMatch::kExact: return;
    case GeluMatch::kOtherConstant:
      return warn(out, "the chain is taken for GELU whatever its constant, so this one is computed wrongly", "use the square root of 2");
    case GeluMatch::kNone:
      return refuse(out, "Erf exists only inside GELU: x / sqrt(2), Erf, + 1, * x, * 0.5, with no other user in between",
                    "write Gelu, or that chain");
  }
}

void check_expand(const NodeContext& c, OpIssues& out) {
  if (!c.is_fixed(1)) return refuse(out, "the shape of Expand is not constant", "store it as a constant");
  warn(out, "Expand becomes a multiplication by ones; on v69 a converter failed on it",
       "rely on broadcasting, or split the heads for grouped-query attention", kReports);
}

void check_rms_norm(const NodeContext& c, OpIssues& out) {
  if (!is_last_axis(c, -1)) refuse(out, "the norm must run over the last axis only", "flatten the axes first");
  const int rank = c.rank(0);
  if (rank == kMaxRank) refuse(out, "RMS norm of rank 5 is refused", "reshape to rank 3");
  if (rank == 4) warn(out, "RMS norm of rank 4 gave wrong numbers on a v73 device (the emulation is right)", "reshape to rank 3", kReports);
}

void check_layer_norm(const NodeContext& c, OpIssues& out) {
  if (!is_last_axis(c, -1)) refuse(out, "the norm must run over the last axis only", "flatten the axes first");
  if (c.rank(0) == kMaxRank) refuse(out, "LayerNormalization of rank 5 is refused", "reshape to rank 3");
  for (std::size_t i = 1; i < c.node.outputs.size(); ++i)
    if (!c.node.outputs[i].empty()) return refuse(out, "mean and deviation cannot be outputs", "compute them with ReduceMean");
}

void check_softmax(const NodeContext& c, OpIssues& out) {
  if (c.rank(0) >= 0 && !is_last_axis(c, c.index.model().opset() < 13 ? 1 : -1))
    warn(out, "not over the last axis: a Transpose is added before and after", "bring the axis to the end");
}

void check_gemm(const NodeContext& c, OpIssues& out) {
  const float alpha = c.node.real("alpha", 1), beta = c.node.real("beta", 1);
  if (alpha != 1 || (beta != 1 && beta != 0))
    refuse(out, fmt::format("Gemm with alpha {} and beta {}; 1 and 1 are taken", alpha, beta),
           "fold the factors into the weight and the bias");
}

void check_lp_normalization(const NodeContext& c, OpIssues& out) {
  if (c.node.integer("p", 2) != 2) refuse(out, "only p = 2 is taken");
}

void check_reduce_mean(const NodeContext& c, OpIssues& out) {
  check_needs_all_fixed(c, out);
  const OnnxNode* maker = c.has_input(0) ? c.index.producer(c.input(0)) : nullptr;
  if (maker == nullptr || maker->inputs.size() != 2) return;
  const bool squared =
      (maker->op == "Mul" && maker->inputs[0] == maker->inputs[1]) || (maker->op == "Pow" && is_close(c.index.scalar(maker->inputs[1]), 2));
  const OnnxType* type = c.index.model().type_of(maker->inputs[0]);
  if (squared && (type == nullptr || !type->dtype || is_float(*type->dtype)))
    warn(out, "a mean of squares overflows half precision as soon as an element passes 255",
         "use SimplifiedLayerNormalization or LpNormalization, which hold");
}

void check_cumsum(const NodeContext& c, OpIssues& out) {
  check_needs_all_fixed(c, out);
  if (c.node.integer("exclusive", 0) != 0 || c.node.integer("reverse", 0) != 0) refuse(out, "exclusive and reverse sums are refused");
}

void check_average_pool(const NodeContext& c, OpIssues& out) {
  if (c.node.integer("ceil_mode", 0) != 0) warn(out, "ceil_mode gave wrong numbers at the border", "pad the input instead");
}

void check_max_pool(const NodeContext& c, OpIssues& out) {
  if (c.node.outputs.size() > 1 && !c.node.outputs[1].empty()) refuse(out, "the indices of MaxPool cannot be an output");
}

void check_arg_max(const NodeContext& c, OpIssues& out) {
  if (c.rank(0) > 4) refuse(out, fmt::format("rank {} fails with error 1002; 4 is the most", c.rank(0)), "reshape to rank 4");
}

void check_einsum(const NodeContext& c, OpIssues& out) {
  warn(out, fmt::format("Einsum \"{}\": products of two matrices are taken, other equations refused", c.node.text("equation", "")),
       "write Transpose, Reshape and MatMul");
}

// ONNX Runtime removes it, unless something needs the mask or it stands between an input and an output of the graph.
void check_dropout(const NodeContext& c, OpIssues& out) {
  const bool has_mask = c.node.outputs.size() > 1 && !c.node.outputs[1].empty();
  const bool from_input = c.has_input(0) && c.index.is_input(c.input(0));
  const bool alone = from_input && !c.node.outputs.empty() && c.index.is_output(c.node.outputs[0]);
  if (has_mask || alone) refuse(out, "Dropout cannot be removed here", "export for inference, so that no Dropout is left");
}

void check_branches(const NodeContext&, OpIssues& out) {
  warn(out, "If was taken in a small test; its branches are not looked at here", "export without branches");
}

void check_random(const NodeContext&, OpIssues& out) { warn(out, "the numbers differ from those of the CPU", "make them an input"); }

void check_needs_all_fixed(const NodeContext& c, OpIssues& out) {
  for (std::size_t i = 1; i < c.node.inputs.size(); ++i)
    if (!c.is_fixed(i)) return refuse_computed(c, i, out);
}

void check_needs_fixed_values(const NodeContext& c, OpIssues& out) {
  for (std::size_t i = 0; i < c.node.inputs.size(); ++i)
    if (!c.is_fixed(i)) return refuse_computed(c, i, out);
}

}  // namespace fastvlm::qnn
