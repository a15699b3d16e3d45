#include "fastvlm/quant/integer_graph.h"

#include <algorithm>

#include "fastvlm/base/assert.h"
#include "fastvlm/base/try.h"
#include "fastvlm/ops/basic.h"
#include "fastvlm/ops/reference.h"
#include "fastvlm/quant/coded_values.h"
#include "fastvlm/quant/codes.h"
#include "fastvlm/quant/integer_convolution.h"
#include "fastvlm/tensor/channel_quantise.h"
#include "fastvlm/tensor/convert.h"

namespace fastvlm {
namespace {

// Nothing behind these averages their errors out, and they are small beside the tower: one of them costs as much as all its other
// matrices (measured: with them in two parts features gain 4 to 7 dB).
constexpr std::string_view kInTwoParts = "model.multi_modal_projector.*";

class Writer {
 public:
  Writer(const Graph& from, const ActivationEncodings& encodings, const IntegerForm& form)
      : from_(from),
        encodings_(encodings),
        form_(form),
        to_(std::make_unique<Graph>(from.name())),
        codes_(from.values().size()),
        floats_(from.values().size()) {
    noted_.whole = encodings.encodings;
    noted_.tables.resize(from.values().size());
  }

  Result<IntegerGraph> write();

 private:
  using Row = Status (Writer::*)(const Node&);
  static Row row_of(std::string_view op);

  Status half(const Node& node);
  Status pass(const Node& node);
  Status same_operator(const Node& node);
  Status gelu(const Node& node);
  Status split(const Node& node);
  Status matmul(const Node& node);
  Status matmul_in_two_parts(const Node& node);
  Status matmul_in_blocks(const Node& node);
  Status gemm(const Node& node);
  Status convolution(const Node& node);
  Status layer_norm(const Node& node);
  Status rms_norm(const Node& node);

  const std::optional<Encoding>& encoding(int value) const { return encodings_.encodings[at(value)]; }
  static std::size_t at(int value) { return static_cast<std::size_t>(value); }

  // A value of the old graph as a float that an operator reads.
  Result<Value> read(int value);
  Result<Value> constant_operand(int value);
  Value plain_constant(int value);
  Result<std::vector<float>> numbers_of(int value) const;
  // A vector as codes of that encoding, which need not be one of activations.
  Value vector_operand(const std::vector<float>& numbers, const Encoding& encoding, const Dims& dims);
  Value channel_operand(const ChannelWeight& weight, const std::string& name, std::int64_t axis);
  Value bias_operand(const IntegerConvolution& convolution);
  // Of the second input, whose channels lie along that axis. One without an encoding stays a float.
  Value weight_operand(const Node& node, std::int64_t axis);
  // What a product reads and makes; nothing where one is a float.
  std::optional<ProductEncodings> edges_of(const Node& node) const;
  Value added(Value product, Value of_rest, const IntegerRest& rest, const Encoding& encoding);
  void add_input(int value);
  Status add_output(int value);
  void store(int value, Value result);
  void keep(int value, Value result);
  void emit(const Node& node, std::vector<Value> inputs);

  const Graph& from_;
  const ActivationEncodings& encodings_;
  const IntegerForm& form_;
  std::unique_ptr<Graph> to_;
  std::vector<Value> codes_, floats_;  // of values that are encoded, and of those that are not
  NotedEncodings noted_;
};

Writer::Row Writer::row_of(std::string_view op) {
  static constexpr std::pair<std::string_view, Row> kRows[] = {
      {"Reshape", &Writer::same_operator},
      {"Transpose", &Writer::same_operator},
      {"Split", &Writer::split},
      {"Concat", &Writer::same_operator},
      {"Clip", &Writer::pass},
      {"Add", &Writer::same_operator},
      {"Sub", &Writer::same_operator},
      {"Mul", &Writer::same_operator},
      {"Sigmoid", &Writer::same_operator},
      {"Softmax", &Writer::same_operator},
      {"MatMul", &Writer::matmul},
      {"MatMulNBits", &Writer::matmul_in_blocks},
      {"Gemm", &Writer::gemm},
      {"Conv", &Writer::convolution},
      {"GlobalAveragePool", &Writer::same_operator},
      {"Relu", &Writer::same_operator},
      {"Gelu", &Writer::gelu},
      {"LayerNormalization", &Writer::layer_norm},
      {"SimplifiedLayerNormalization", &Writer::rms_norm},
  };
  const auto* row = std::ranges::find(kRows, op, &std::pair<std::string_view, Row>::first);
  return row == std::end(kRows) ? nullptr : row->second;
}

Value Writer::plain_constant(int value) {
  const ValueInfo& info = from_.value(value);
  return info.weight != nullptr ? to_->add_weight(info.weight, info.name, info.dtype) : to_->add_constant(*info.constant);
}

Result<std::vector<float>> Writer::numbers_of(int value) const {
  const ValueInfo& info = from_.value(value);
  if (info.weight != nullptr) return info.weight->read_all();
  const Tensor wide = cast_to(*info.constant, Dtype::kFloat32);
  return std::vector<float>(wide.floats().begin(), wide.floats().end());
}

Value Writer::vector_operand(const std::vector<float>& numbers, const Encoding& encoding, const Dims& dims) {
  return dequantize(to_->add_constant(codes_of(numbers, encoding, *static_shape(dims))), encoding);
}

// A vector beside activations: uint16 over its own range.
Result<Value> Writer::constant_operand(int value) {
  const ValueInfo& info = from_.value(value);
  if (!is_float(info.dtype)) return plain_constant(value);
  TRY_ASSIGN(const std::vector<float> numbers, numbers_of(value));
  const auto [least, most] = std::ranges::minmax(numbers);
  const Encoding encoding = encoding_of({least, most}, Dtype::kUint16);
  noted_.whole[at(value)] = encoding;
  return vector_operand(numbers, encoding, info.dims);
}

Result<Value> Writer::read(int value) {
  if (value < 0) return Value();
  if (from_.value(value).is_constant()) return constant_operand(value);
  // One for each use: what is joined with its operator on the NPU is shared with no other.
  if (const auto& known = encoding(value)) return dequantize(codes_[at(value)], *known);
  return floats_[at(value)];
}

Value Writer::channel_operand(const ChannelWeight& weight, const std::string& name, std::int64_t axis) {
  Value codes = to_->add_weight(weight.codes, name + ":codes", Dtype::kInt8);
  Value scales = to_->add_weight(weight.scales, name + ":scales", Dtype::kFloat32);
  return dequantize_by_channel(codes, scales, axis);
}

std::optional<ProductEncodings> Writer::edges_of(const Node& node) const {
  const int output = node.outputs[0];
  const auto &from = encoding(node.inputs[0]), &to = encodings_.made_as[at(output)] ? encodings_.made_as[at(output)] : encoding(output);
  if (!from || !to) return std::nullopt;
  return ProductEncodings{.input = *from, .output = *to, .short_factors = form_.short_factors};
}

Value Writer::weight_operand(const Node& node, std::int64_t axis) {
  const int value = node.inputs[1];
  const ValueInfo& info = from_.value(value);
  if (!info.encoding) return plain_constant(value);
  const auto edges = edges_of(node);
  const ChannelWeight weight = quantised_by_channel(info.weight, edges ? rule_of(*edges) : ScaleRule());
  noted_.tables[at(value)] = ScaleTable{.scales = weight.scales, .bits = 8, .axis = axis};
  return channel_operand(weight, info.name, axis);
}

Value Writer::bias_operand(const IntegerConvolution& convolution) {
  const auto channels = static_cast<std::int64_t>(convolution.bias.size());
  Value codes = to_->add_constant(integer_tensor(Dtype::kInt32, {channels}, convolution.bias));
  Value scales = to_->add_constant(Tensor::of_floats({channels}, convolution.bias_scales));
  return dequantize_by_channel(codes, scales, 0);
}

// What an operator made gets the value's name, unless that is an output's, which is given at the end.
void Writer::store(int value, Value result) {
  const ValueInfo& info = from_.value(value);
  if (is_given_name(info.name) && std::ranges::find(from_.outputs(), value) == from_.outputs().end()) to_->rename(result, info.name);
  const auto& made_as = encodings_.made_as[at(value)];
  const int producer = info.producer;
  const bool moved = producer >= 0 && ties_encodings(from_.nodes()[at(producer)].op);
  if (encoding(value) && made_as && producer >= 0 && !moved) result = dequantize(quantize(result, *made_as), *made_as);
  keep(value, result);
}

void Writer::keep(int value, Value result) {
  if (const auto& known = encoding(value))
    codes_[at(value)] = quantize(result, *known);
  else
    floats_[at(value)] = result;
}

void Writer::add_input(int value) {
  const ValueInfo& info = from_.value(value);
  const auto& edge = encodings_.edges[at(value)];
  if (!edge) return keep(value, to_->add_input(info.name, info.dtype, info.dims));
  Value codes = to_->add_input(info.name, edge->dtype, info.dims);
  if (edge == encoding(value))
    codes_[at(value)] = codes;
  else
    keep(value, dequantize(codes, *edge));
}

Status Writer::add_output(int value) {
  const std::string& name = from_.value(value).name;
  const auto& edge = encodings_.edges[at(value)];
  if (edge && edge == encoding(value)) return to_->add_output(codes_[at(value)], name), Status();
  TRY_ASSIGN(Value result, read(value));
  to_->add_output(edge ? quantize(result, *edge) : result, name);
  return {};
}

void Writer::emit(const Node& node, std::vector<Value> inputs) {
  std::vector<OutputSpec> outputs;
  for (int output : node.outputs) outputs.push_back({Dtype::kFloat32, from_.value(output).dims});
  const std::vector<Value> results = to_->add_node(node.domain, node.op, std::move(inputs), std::move(outputs), node.attributes);
  for (std::size_t i = 0; i < results.size(); ++i) store(node.outputs[i], results[i]);
}

// Every operand is read as what it is.
Status Writer::same_operator(const Node& node) {
  std::vector<Value> inputs;
  for (int input : node.inputs) {
    TRY_ASSIGN(Value operand, read(input));
    inputs.push_back(operand);
  }
  emit(node, std::move(inputs));
  return {};
}

// The two are 0.17 apart at most: where a code is twice as wide, that is within its rounding. NPUs compute GELUs of such inputs in half
// precision, which ends at 65504.
Status Writer::gelu(const Node& node) {
  constexpr float kWidthOfReluCodes = 0.34F;
  const auto& as = encoding(node.inputs[0]);
  if (!as || as->scale < kWidthOfReluCodes) return same_operator(node);
  TRY_ASSIGN(Value x, read(node.inputs[0]));
  store(node.outputs[0], ops::relu(x));
  return {};
}

// As in a graph of floats. HTP takes one Gelu node between codes only; elsewhere it is the form that is right for any number.
Status Writer::half(const Node& node) {
  if (node.op == "Clip") return pass(node);
  std::vector<Value> inputs;
  for (int input : node.inputs) {
    const bool constant = input >= 0 && from_.value(input).is_constant();
    TRY_ASSIGN(Value operand, constant ? Result<Value>(plain_constant(input)) : read(input));
    inputs.push_back(operand);
  }
  if (node.op != "Gelu") return emit(node, std::move(inputs)), Status();
  store(node.outputs[0], ops::add(ops::relu(inputs[0]), ops::gelu_of_erf(ops::neg(ops::abs(inputs[0])))));
  return {};
}

Status Writer::pass(const Node& node) {
  codes_[at(node.outputs[0])] = codes_[at(node.inputs[0])];
  floats_[at(node.outputs[0])] = floats_[at(node.inputs[0])];
  return {};
}

// The sum of a product and of that with what its int8 leave.
Value Writer::added(Value product, Value of_rest, const IntegerRest& rest, const Encoding& encoding) {
  product = dequantize(quantize(product, encoding), encoding);
  of_rest = dequantize(quantize(of_rest, rest.product), rest.product);
  return to_->add_node("", "Add", {product, of_rest}, {{Dtype::kFloat32, product.dims()}})[0];
}

// Of one token, heads are cut along the last axis where the form says so.
Status Writer::split(const Node& node) {
  const ValueInfo& info = from_.value(node.inputs[0]);
  const auto& as = encoding(node.inputs[0]);
  const auto count = static_cast<std::int64_t>(node.outputs.size());
  const bool one_token = info.dims.size() == 4 && info.dims[0] == Dim(1) && info.dims[1] == Dim(count) && info.dims[2] == Dim(1);
  if (!form_.splits_last_axis || !as || !one_token || node.integer("axis") != 1) return same_operator(node);
  const std::int64_t width = info.dims[3].value;
  TRY_ASSIGN(Value x, read(node.inputs[0]));
  Value shape = to_->add_constant(integer_tensor(Dtype::kInt64, {4}, std::vector<std::int64_t>{1, 1, 1, count * width}));
  x = to_->add_node("", "Reshape", {x, shape}, {{Dtype::kFloat32, {1, 1, 1, count * width}}})[0];
  Value widths = to_->add_constant(integer_tensor(Dtype::kInt64, {count}, std::vector<std::int64_t>(node.outputs.size(), width)));
  std::vector<OutputSpec> outputs(node.outputs.size(), {Dtype::kFloat32, {1, 1, 1, width}});
  const auto parts =
      to_->add_node("", "Split", {dequantize(quantize(x, *as), *as), widths}, std::move(outputs), {{"axis", std::int64_t{3}}});
  for (std::size_t i = 0; i < parts.size(); ++i) store(node.outputs[i], parts[i]);
  return {};
}

Status Writer::matmul(const Node& node) {
  const ValueInfo& info = from_.value(node.inputs[1]);
  if (info.weight == nullptr) return same_operator(node);
  if (info.encoding && edges_of(node) && matches(kInTwoParts, info.name)) return matmul_in_two_parts(node);
  TRY_ASSIGN(Value x, read(node.inputs[0]));
  emit(node, {x, weight_operand(node, 1)});
  return {};
}

Status Writer::matmul_in_two_parts(const Node& node) {
  const ValueInfo& info = from_.value(node.inputs[1]);
  TRY_ASSIGN(const IntegerRest rest, integer_rest(info.weight, *edges_of(node)));
  auto product = [&](Value operand) {
    Value x = dequantize(codes_[at(node.inputs[0])], *encoding(node.inputs[0]));
    return to_->add_node("", "MatMul", {x, operand}, {{Dtype::kFloat32, from_.value(node.outputs[0]).dims}})[0];
  };
  Value main = product(weight_operand(node, 1));
  Value of_rest = product(channel_operand(rest.weight, info.name + ":rest", 1));
  store(node.outputs[0], added(main, of_rest, rest, *encoding(node.outputs[0])));
  return {};
}

// The blocks are those of float graphs.
Status Writer::matmul_in_blocks(const Node& node) {
  TRY_ASSIGN(Value x, read(node.inputs[0]));
  emit(node, {x, plain_constant(node.inputs[1]), plain_constant(node.inputs[2])});
  return {};
}

Status Writer::gemm(const Node& node) {
  TRY_ASSIGN(Value x, read(node.inputs[0]));
  emit(node, {x, weight_operand(node, 0)});
  return {};
}

Status Writer::convolution(const Node& node) {
  const ValueInfo& info = from_.value(node.inputs[1]);
  const auto edges = edges_of(node);
  FASTVLM_ASSERT(info.encoding && edges && node.inputs.size() == 3, "a convolution of integers with a bias");
  TRY_ASSIGN(const std::vector<float> bias, numbers_of(node.inputs[2]));
  TRY_ASSIGN(const IntegerConvolution parts, integer_convolution(info.weight, bias, *edges));
  noted_.tables[at(node.inputs[1])] = ScaleTable{.scales = parts.weight.scales, .bits = 8, .axis = 0};
  noted_.tables[at(node.inputs[2])] = ScaleTable{
      .scales = Weight::of_values({static_cast<std::int64_t>(bias.size())}, parts.bias_scales, "scales of a bias"), .bits = 32, .axis = 0};
  auto apply = [&](const ChannelWeight& weight, const std::string& name, Value shift) {
    std::vector<Value> inputs = {dequantize(codes_[at(node.inputs[0])], edges->input), channel_operand(weight, name, 0)};
    if (shift) inputs.push_back(shift);
    return to_->add_node("", "Conv", inputs, {{Dtype::kFloat32, from_.value(node.outputs[0]).dims}}, node.attributes)[0];
  };
  Value main = apply(parts.weight, info.name, bias_operand(parts));
  if (parts.rest) main = added(main, apply(parts.rest->weight, info.name + ":rest", {}), *parts.rest, edges->output);
  store(node.outputs[0], main);
  return {};
}

// Every HTP takes weights of 8 bits with a bias of 32; a bias of 16 costs 4 dB (measured).
Status Writer::layer_norm(const Node& node) {
  TRY_ASSIGN(Value x, read(node.inputs[0]));
  TRY_ASSIGN(const std::vector<float> weight, numbers_of(node.inputs[1]));
  TRY_ASSIGN(const std::vector<float> bias, numbers_of(node.inputs[2]));
  const Encoding bytes = noted_.whole[at(node.inputs[1])].emplace(byte_encoding(weight));
  const Encoding words = noted_.whole[at(node.inputs[2])].emplace(bias_encoding(bias));
  Value scaled = vector_operand(weight, bytes, from_.value(node.inputs[1]).dims);
  Value shift = vector_operand(bias, words, from_.value(node.inputs[2]).dims);
  emit(node, {x, scaled, shift});
  return {};
}

// One that reads a float keeps its weight as it is.
Status Writer::rms_norm(const Node& node) {
  if (encoding(node.inputs[0])) return same_operator(node);
  emit(node, {floats_[at(node.inputs[0])], plain_constant(node.inputs[1])});
  return {};
}

Result<IntegerGraph> Writer::write() {
  for (int input : from_.inputs()) add_input(input);
  for (std::size_t i = 0; i < from_.nodes().size(); ++i) {
    const Node& node = from_.nodes()[i];
    Scope scope(*to_, module_of(node), /*absolute=*/true);
    if (encodings_.half[i]) {
      TRY(half(node));
      continue;
    }
    const Row row = node.domain.empty() || node.domain == kMicrosoftDomain ? row_of(node.op) : nullptr;
    if (row == nullptr)
      return bad_input("{}: the operator {} of {} has no form with integer activations", from_.name(), node.op, node.name);
    TRY((this->*row)(node));
  }
  for (int output : from_.outputs()) TRY(add_output(output));
  return IntegerGraph{.graph = std::move(to_), .encodings = encodings_of(from_, noted_)};
}

}  // namespace

Result<IntegerGraph> to_integers(const Graph& graph, const Ranges& ranges, const IntegerForm& form) {
  TRY_ASSIGN(const ActivationEncodings encodings, encode_activations(graph, ranges, form));
  return Writer(graph, encodings, form).write();
}

}  // namespace fastvlm
