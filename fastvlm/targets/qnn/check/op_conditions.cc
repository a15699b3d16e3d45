#include "fastvlm/targets/qnn/check/op_conditions.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace fastvlm::qnn {
namespace {

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

bool is_close(std::optional<double> value, double expected) { return value && std::abs(*value - expected) <= 1e-3 * std::abs(expected); }

std::optional<Dtype> dtype_of(const NodeContext& c, const std::string& value) {
  const OnnxType* type = c.index.model().type_of(value);
  return type == nullptr ? std::nullopt : type->dtype;
}
std::optional<Dtype> input_dtype(const NodeContext& c, std::size_t i) { return c.has_input(i) ? dtype_of(c, c.input(i)) : std::nullopt; }
bool is_in(std::optional<Dtype> dtype, TypeSet set) { return dtype && (set & type_bit(*dtype)) != 0; }

bool is_at_border(const NodeContext& c, const std::string& value) { return c.index.is_input(value) || c.index.is_output(value); }

std::vector<std::int64_t> list_of(const OnnxNode& node, const std::string& key) {
  const auto found = node.attributes.find(key);
  const auto* list = found == node.attributes.end() ? nullptr : std::get_if<std::vector<std::int64_t>>(&found->second);
  return list == nullptr ? std::vector<std::int64_t>() : *list;
}
std::int64_t at_or(const std::vector<std::int64_t>& list, std::size_t i, std::int64_t otherwise) {
  return i < list.size() ? list[i] : otherwise;
}

// With ceil_mode the last window may begin in the padding behind the picture; ONNX leaves such a window out, the backend does not.
bool is_last_window_outside(const NodeContext& c) {
  const OnnxType* type = c.type(0);
  if (c.node.integer("ceil_mode", 0) == 0 || type == nullptr || !type->has_shape || type->dims.size() < 3) return false;
  const auto kernel = list_of(c.node, "kernel_shape"), strides = list_of(c.node, "strides"), pads = list_of(c.node, "pads");
  const std::size_t axes = type->dims.size() - 2;
  for (std::size_t i = 0; i < axes; ++i) {
    const Dim& dim = type->dims[i + 2];
    const std::int64_t stride = at_or(strides, i, 1), window = at_or(kernel, i, 1), before = at_or(pads, i, 0),
                       after = at_or(pads, axes + i, 0);
    const bool sane = dim.is_static() && stride > 0 && window > 0 && dim.value < (std::int64_t{1} << 40) && std::abs(before) < 1 << 20 &&
                      std::abs(after) < 1 << 20 && window < 1 << 20;
    if (!sane) continue;
    const std::int64_t room = dim.value + before + after - window;
    if (room >= 0 && (room + stride - 1) / stride * stride >= dim.value + before) return true;
  }
  return false;
}

void check_last_window(const NodeContext& c, OpIssues& out) {
  if (is_last_window_outside(c)) refuse(out, "ceil_mode makes a last window that begins outside of the picture", "pad the input instead");
}

void check_last_axis(const NodeContext& c, OpIssues& out) {
  if (!is_last_axis(c, -1)) refuse(out, "the norm must run over the last axis only", "flatten the axes first");
}

// Whether numbers of the model's inputs, not only their shapes, go into the value.
bool depends_on_numbers(const NodeContext& c, const std::string& value) {
  std::vector<std::string> waiting = {value};
  std::set<std::string> seen;
  while (!waiting.empty()) {
    const std::string next = waiting.back();
    waiting.pop_back();
    if (next.empty() || !seen.insert(next).second) continue;
    if (c.index.is_input(next)) return true;
    const OnnxNode* maker = c.index.producer(next);
    if (maker == nullptr || maker->op == "Shape" || maker->op == "Size") continue;
    waiting.insert(waiting.end(), maker->inputs.begin(), maker->inputs.end());
  }
  return false;
}

// Operators of a branch that are refused or unknown; constants of the outer graph, which a branch cannot reach.
void check_branch(const NodeContext& c, const std::vector<OnnxNode>& nodes, OpIssues& out) {
  for (const OnnxNode& node : nodes) {
    const OpRule* rule = find_op_rule(node.domain, node.op);
    if (rule == nullptr || rule->is_refused() || node.op == "If")
      return refuse(out, fmt::format("{} in a branch of If is refused", operator_name(node.domain, node.op)), "export without branches");
    for (const std::string& input : node.inputs)
      if (c.index.initializer(input) != nullptr)
        return refuse(out, fmt::format("a branch uses \"{}\", a constant of the outer graph", input), "export without branches");
  }
}

// Between DequantizeLinear and QuantizeLinear: the form in which weights may have a scale for each channel.
bool is_quantized_layer(const NodeContext& c, const OnnxNode& user) {
  const bool layer = user.op == "Conv" || user.op == "ConvTranspose" || user.op == "MatMul" || user.op == "Gemm";
  if (!layer || user.inputs.empty() || user.outputs.empty() || c.index.is_output(user.outputs[0])) return false;
  const OnnxNode* before = c.index.producer(user.inputs[0]);
  const auto& after = c.index.users(user.outputs[0]);
  return before != nullptr && before->op == "DequantizeLinear" && !after.empty() &&
         std::all_of(after.begin(), after.end(), [](const OnnxNode* node) { return node->op == "QuantizeLinear"; });
}

bool has_many_scales(const NodeContext& c) {
  const OnnxType* scale = c.type(1);
  const auto shape = scale == nullptr || !scale->has_shape ? std::nullopt : static_shape(scale->dims);
  return shape && checked_element_count(*shape).value_or(1) > 1;
}

void check_many_scales(const NodeContext& c, OpIssues& out) {
  const auto& users = c.index.users(c.node.outputs.empty() ? "" : c.node.outputs[0]);
  const bool in_layers =
      !users.empty() && std::all_of(users.begin(), users.end(), [&](const OnnxNode* u) { return is_quantized_layer(c, *u); });
  if (c.node.op == "QuantizeLinear" || !in_layers || !c.has_input(0) || !c.index.is_constant(c.input(0)))
    return refuse(out, "a scale for each channel is taken for constant weights of a layer between DequantizeLinear and QuantizeLinear only",
                  "quantise the layer's input and output too, or use one scale");
  if (input_dtype(c, 0) == Dtype::kUint8) refuse(out, "uint8 weights with a scale for each channel are refused", "use int8 weights");
}

}  // namespace

void refuse(OpIssues& out, std::string reason, std::string advice, std::string_view source) {
  out.push_back({Verdict::kRefused, std::move(reason), std::move(advice), source});
}
void warn(OpIssues& out, std::string reason, std::string advice, std::string_view source) {
  out.push_back({Verdict::kWarning, std::move(reason), std::move(advice), source});
}
void remark(OpIssues& out, std::string reason, std::string advice, std::string_view source) {
  out.push_back({Verdict::kOk, std::move(reason), std::move(advice), source});
}

void refuse_computed(const NodeContext& c, std::size_t i, OpIssues& out) {
  refuse(out, fmt::format("\"{}\" is computed while running, and {} needs a constant there", c.input(i), c.node.op),
         "store it as a constant");
}

// ONNX Runtime writes such a node out after the backend has had its say; alone that goes well.
void check_alone(const NodeContext& c, OpIssues& out) {
  const auto& nodes = c.index.model().nodes;
  const auto others = std::count_if(nodes.begin(), nodes.end(), [&](const OnnxNode& node) {
    return &node != &c.node && !node.outputs.empty() && !c.index.is_constant(node.outputs[0]) && !c.facts.folded.contains(node.outputs[0]);
  });
  if (others > 0) refuse(out, fmt::format("{} beside other nodes is refused", c.node.op), "write it with other operators");
}

void check_attention(const NodeContext& c, OpIssues& out) {
  if (input_dtype(c, 3) == Dtype::kBool) refuse(out, "a mask of bool is refused", "make it a float mask that is added");
  if (c.has_input(6)) refuse(out, "nonpad_kv_seqlen is refused", "say it in the mask");
}

void check_average_pool(const NodeContext& c, OpIssues& out) {
  check_last_window(c, out);
  if (c.node.integer("ceil_mode", 0) != 0) remark(out, "ceil_mode gave wrong numbers at the border", "pad the input instead");
}

void check_batch_norm(const NodeContext& c, OpIssues& out) {
  for (std::size_t i = 1; i < c.node.outputs.size(); ++i)
    if (c.is_used(i)) return refuse(out, "only the first output is taken", "export for inference");
}

void check_blocks(const NodeContext& c, OpIssues& out) {
  if (!c.soc.fp16)
    refuse(out, fmt::format("{} computes no half precision, in which weights in blocks are multiplied", c.soc.name),
           "store them in 8 bits with a scale for each output channel");
}

void check_cast(const NodeContext& c, OpIssues& out) {
  constexpr TypeSet kTaken = kSigned | kBools | kUint8s | kUint32s | type_bit(Dtype::kFloat64);
  const auto from = input_dtype(c, 0), to = c.node.outputs.empty() ? std::nullopt : dtype_of(c, c.node.outputs[0]);
  const bool known = from && to;
  const bool narrow_source = from == Dtype::kInt16 && to == Dtype::kInt32;
  const bool wide_border = is_in(from, kFloats | kBools | kUint8s) && to == Dtype::kInt64 && c.index.is_output(c.node.outputs[0]);
  const bool halves =
      (from == Dtype::kFloat16 && is_in(to, kBools | kUint8s | kUint32s)) || (from == Dtype::kUint32 && to == Dtype::kFloat16);
  const bool bad = !narrow_source && (!is_in(from, kTaken) || !is_in(to, kTaken) || wide_border || halves);
  if (known && bad) refuse(out, fmt::format("a cast from {} to {} is refused", name(*from), name(*to)), "cast to float32 or int32");
}

// ONNX Runtime removes it, unless its result leaves the graph or something needs the mask.
void check_dropout(const NodeContext& c, OpIssues& out) {
  const bool at_end = !c.node.outputs.empty() && c.index.is_output(c.node.outputs[0]);
  if (c.is_used(1) || at_end) refuse(out, "Dropout cannot be removed here", "export for inference, so that no Dropout is left");
}

// Its result is taken where the numbers go straight back: quantising and dequantising cancel.
void check_dynamic_quantize(const NodeContext& c, OpIssues& out) {
  for (const std::string& output : c.node.outputs) {
    const auto& users = c.index.users(output);
    const bool back = users.size() == 1 && users[0]->op == "DequantizeLinear" && !c.index.is_output(output);
    if (!back) return refuse(out, "the backend has no such operator", "calibrate, and write QuantizeLinear with a constant scale");
  }
}

// Of the equations that were tried, these are taken: the last axis of the first operand is summed, all others stand in both or in one.
void check_einsum(const NodeContext& c, OpIssues& out) {
  std::string equation = c.node.text("equation", "");
  std::erase(equation, ' ');
  const std::size_t comma = equation.find(','), arrow = equation.find("->");
  if (comma == std::string::npos || arrow == std::string::npos || comma > arrow || c.node.inputs.size() != 2)
    return refuse(out, fmt::format("Einsum \"{}\" is refused; products of two matrices are taken", equation), "write Transpose and MatMul");
  const std::string a = equation.substr(0, comma), b = equation.substr(comma + 1, arrow - comma - 1), result = equation.substr(arrow + 2);
  const bool matrices = a.size() >= 2 && a.size() <= 4 && b.size() >= 2 && b.size() <= 4 && result.size() >= 2;
  const bool summed = !a.empty() && result.find(a.back()) == std::string::npos && b.find(a.back()) != std::string::npos;
  if (!matrices || !summed)
    refuse(out, fmt::format("Einsum \"{}\" is refused; products of two matrices are taken", equation), "write Transpose and MatMul");
}

void check_expand(const NodeContext&, OpIssues& out) {
  remark(out, "Expand becomes a multiplication by ones; on v69 a converter failed on it",
         "rely on broadcasting, or split the heads for grouped-query attention", kReports);
}

void check_gather(const NodeContext& c, OpIssues& out) {
  if (c.rank(0) == 5 && !c.is_fixed(1) && !is_last_axis(c, 0))
    refuse(out, "Gather of rank 5 with computed ids is refused", "reshape to rank 4");
}

void check_gemm(const NodeContext& c, OpIssues& out) {
  const float alpha = c.node.real("alpha", 1), beta = c.node.real("beta", 1);
  if (alpha != 1 || (beta != 1 && beta != 0))
    refuse(out, fmt::format("Gemm with alpha {} and beta {}; 1 and 1 are taken", alpha, beta),
           "fold the factors into the weight and the bias");
}

// ONNX Runtime takes the branch of a constant condition; of others the backend computes both branches and selects.
void check_if(const NodeContext& c, OpIssues& out) {
  const bool fixed = c.has_input(0) && c.is_fixed(0);
  const auto chosen = fixed ? c.index.scalar(c.input(0)) : std::nullopt;
  if (fixed && !chosen) return remark(out, "not known: which branch the shapes choose; compile to see", "export without branches");
  for (const char* key : {"then_branch", "else_branch"}) {
    if (chosen && (*chosen != 0) != (std::string_view(key) == "then_branch")) continue;
    const auto found = c.node.attributes.find(key);
    const auto* branch = found == c.node.attributes.end() ? nullptr : std::get_if<OnnxGraphAttribute>(&found->second);
    if (branch != nullptr && branch->nodes != nullptr) check_branch(c, *branch->nodes, out);
  }
  if (fixed) return;
  for (const std::string& output : c.node.outputs) {
    const OnnxType* type = c.index.model().type_of(output);
    if (type == nullptr || type->code == 0) return refuse(out, "a branch gives no plain tensor", "export without branches");
    if (!is_in(type->dtype, kFloats))
      return refuse(out, fmt::format("the result \"{}\" of If is no float tensor", output), "export without branches");
  }
}

void check_layer_norm(const NodeContext& c, OpIssues& out) {
  check_last_axis(c, out);
  for (std::size_t i = 1; i < c.node.outputs.size(); ++i)
    if (c.is_used(i)) return refuse(out, "mean and deviation cannot be outputs", "compute them with ReduceMean");
}

void check_max_pool(const NodeContext& c, OpIssues& out) {
  if (c.is_used(1)) refuse(out, "the indices of MaxPool cannot be an output");
  check_last_window(c, out);
}

void check_pad(const NodeContext& c, OpIssues& out) {
  if (c.has_input(3)) refuse(out, "Pad with axes is refused", "name the padding of every axis");
}

void check_pow(const NodeContext& c, OpIssues& out) {
  if (auto power = input_dtype(c, 1); power && !is_in(power, kFloats))
    refuse(out, fmt::format("a power of {} is refused", name(*power)), "make the power a float");
}

void check_quantization(const NodeContext& c, OpIssues& out) {
  const OnnxNode* maker = c.has_input(0) ? c.index.producer(c.input(0)) : nullptr;
  if (maker != nullptr && maker->op == "DynamicQuantizeLinear") return;  // judged there
  for (std::size_t i = 1; i < c.node.inputs.size(); ++i)
    if (!c.is_fixed(i)) return refuse_computed(c, i, out);
  const bool constant = c.has_input(0) && c.index.is_constant(c.input(0));
  if (has_many_scales(c)) return check_many_scales(c, out);
  if (input_dtype(c, 0) == Dtype::kInt32 && !constant && c.node.op == "DequantizeLinear")
    return refuse(out, "DequantizeLinear of computed int32 is refused", "write Cast and Mul");
  if (c.index.model().nodes.size() == 1)
    refuse(out, fmt::format("{} alone is no graph for the backend", c.node.op), "put it beside an operator");
}

void check_random(const NodeContext&, OpIssues& out) { remark(out, "the numbers differ from those of the CPU", "make them an input"); }

// Without numbers of their own the axes are all of them; the backend takes that too.
void check_reduce(const NodeContext& c, OpIssues& out) {
  const OnnxType* axes = c.type(1);
  const auto shape = axes == nullptr || !axes->has_shape ? std::nullopt : static_shape(axes->dims);
  const bool none = !c.has_input(1) || (shape && checked_element_count(*shape) == 0);
  if (!none && !c.is_fixed(1)) return refuse_computed(c, 1, out);
  const bool named = !list_of(c.node, "axes").empty();
  if (none && !named && c.node.integer("noop_with_empty_axes", 0) != 0 && c.node.op != "ReduceLogSumExp")
    refuse(out, "a reduction over no axis is refused", "leave the node out");
}

void check_reduce_mean(const NodeContext& c, OpIssues& out) {
  check_reduce(c, out);
  const OnnxNode* maker = c.has_input(0) ? c.index.producer(c.input(0)) : nullptr;
  if (maker == nullptr || maker->inputs.size() != 2) return;
  const bool squared =
      (maker->op == "Mul" && maker->inputs[0] == maker->inputs[1]) || (maker->op == "Pow" && is_close(c.index.scalar(maker->inputs[1]), 2));
  const auto dtype = dtype_of(c, maker->inputs[0]);
  if (squared && (!dtype || is_float(*dtype)))
    remark(out, "a mean of squares overflows half precision as soon as an element passes 255",
           "use SimplifiedLayerNormalization or LpNormalization, which hold");
}

void check_resize(const NodeContext& c, OpIssues& out) {
  const std::string mode = c.node.text("mode", "nearest"), rounding = c.node.text("nearest_mode", "round_prefer_floor");
  const std::string transformation = c.node.text("coordinate_transformation_mode", "half_pixel");
  if (mode == "cubic" && !c.is_fixed(2)) refuse_computed(c, 2, out);
  const bool rounds_badly = transformation == "asymmetric" ? rounding == "round_prefer_floor" || rounding == "ceil"
                                                           : c.rank(0) == 5 && rounding == "round_prefer_floor";
  if (mode == "nearest" && rounds_badly)
    refuse(out, fmt::format("nearest_mode {} with {} is refused", rounding, transformation), "use nearest_mode floor");
}

void check_result_shape(const NodeContext& c, OpIssues& out) {
  const std::size_t deciding = c.node.op == "Reshape" ? 1 : 0;
  for (const std::string& output : c.node.outputs)
    if (c.facts.unknown.contains(output) && c.has_input(deciding) && depends_on_numbers(c, c.input(deciding)))
      return refuse(out, fmt::format("the shape of \"{}\" depends on numbers that are computed while running", output),
                    "compute it while exporting");
}

void check_rms_norm(const NodeContext& c, OpIssues& out) {
  check_last_axis(c, out);
  if (c.rank(0) == 4)
    remark(out, "RMS norm of rank 4 gave wrong numbers on a v73 device (the emulation is right)", "reshape to rank 3", kReports);
}

void check_softmax(const NodeContext& c, OpIssues& out) {
  if (c.rank(0) >= 0 && !is_last_axis(c, c.index.model().opset() < 13 ? 1 : -1))
    remark(out, "not over the last axis: a Transpose is added before and after", "bring the axis to the end");
}

void check_transpose(const NodeContext& c, OpIssues& out) {
  if (input_dtype(c, 0) == Dtype::kInt64 && is_at_border(c, c.input(0)))
    refuse(out, "Transpose of an int64 input is refused", "make the input int32");
}

void check_two_inputs(const NodeContext& c, OpIssues& out) {
  if (c.node.inputs.size() < 2) refuse(out, fmt::format("{} of one input is refused", c.node.op), "leave the node out");
}

}  // namespace fastvlm::qnn
