#include "fastvlm/quant/integer_graph.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "fastvlm/base/try.h"
#include "fastvlm/tensor/channel_quantise.h"
#include "fastvlm/tensor/convert.h"

namespace fastvlm {
namespace {

template <class T>
Tensor integer_tensor(Dtype dtype, Shape shape, const std::vector<T>& values) {
  Tensor tensor{.dtype = dtype, .shape = std::move(shape), .bytes = std::vector<std::byte>(values.size() * sizeof(T))};
  std::memcpy(tensor.bytes.data(), values.data(), tensor.bytes.size());
  return tensor;
}

Tensor zero_point_tensor(const Encoding& encoding) {
  if (encoding.dtype == Dtype::kInt16)
    return integer_tensor<std::int16_t>(Dtype::kInt16, {}, {static_cast<std::int16_t>(encoding.zero_point)});
  return integer_tensor<std::uint16_t>(Dtype::kUint16, {}, {static_cast<std::uint16_t>(encoding.zero_point)});
}

class Writer {
 public:
  Writer(const Graph& from, const ActivationEncodings& encodings)
      : from_(from),
        encodings_(encodings),
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

  Status pass(const Node& node);
  Status same_operator(const Node& node);
  Status matmul(const Node& node);
  Status gemm(const Node& node);
  Status rms_norm(const Node& node);

  const std::optional<Encoding>& encoding(int value) const { return encodings_.encodings[at(value)]; }
  static std::size_t at(int value) { return static_cast<std::size_t>(value); }

  std::array<Value, 2> parameters(const Encoding& encoding) {
    return {to_->add_constant(Tensor::of_floats({}, std::vector<float>{encoding.scale})), to_->add_constant(zero_point_tensor(encoding))};
  }
  Value quantize(Value x, const Encoding& encoding) {
    const auto [scale, zero] = parameters(encoding);
    return to_->add_node("", "QuantizeLinear", {x, scale, zero}, {{encoding.dtype, x.dims()}})[0];
  }
  // One for each use: what is joined with its operator on the NPU is shared with no other.
  Value dequantize(Value codes, const Encoding& encoding) {
    const auto [scale, zero] = parameters(encoding);
    return to_->add_node("", "DequantizeLinear", {codes, scale, zero}, {{Dtype::kFloat32, codes.dims()}})[0];
  }

  // A value of the old graph as a float that an operator reads.
  Result<Value> read(int value);
  Result<Value> constant_operand(int value);
  Value plain_constant(int value);
  Value weight_operand(int value, std::int64_t axis);
  void store(int value, Value result);
  void emit(const Node& node, std::vector<Value> inputs);

  const Graph& from_;
  const ActivationEncodings& encodings_;
  std::unique_ptr<Graph> to_;
  std::vector<Value> codes_, floats_;  // of values that are encoded, and of those that are not
  NotedEncodings noted_;
};

Writer::Row Writer::row_of(std::string_view op) {
  static constexpr std::pair<std::string_view, Row> kRows[] = {
      {"Reshape", &Writer::same_operator},
      {"Transpose", &Writer::same_operator},
      {"Split", &Writer::same_operator},
      {"Concat", &Writer::same_operator},
      {"Clip", &Writer::pass},
      {"Add", &Writer::same_operator},
      {"Sub", &Writer::same_operator},
      {"Mul", &Writer::same_operator},
      {"Sigmoid", &Writer::same_operator},
      {"Softmax", &Writer::same_operator},
      {"MatMul", &Writer::matmul},
      {"Gemm", &Writer::gemm},
      {"SimplifiedLayerNormalization", &Writer::rms_norm},
  };
  const auto* row = std::ranges::find(kRows, op, &std::pair<std::string_view, Row>::first);
  return row == std::end(kRows) ? nullptr : row->second;
}

Value Writer::plain_constant(int value) {
  const ValueInfo& info = from_.value(value);
  return info.weight != nullptr ? to_->add_weight(info.weight, info.name, info.dtype) : to_->add_constant(*info.constant);
}

// A vector beside activations: uint16 over its own range.
Result<Value> Writer::constant_operand(int value) {
  const ValueInfo& info = from_.value(value);
  if (!is_float(info.dtype)) return plain_constant(value);
  std::vector<float> numbers;
  if (info.weight != nullptr) {
    TRY_ASSIGN(numbers, info.weight->read_all());
  } else {
    const Tensor wide = cast_to(*info.constant, Dtype::kFloat32);
    numbers.assign(wide.floats().begin(), wide.floats().end());
  }
  const auto [least, most] = std::ranges::minmax(numbers);
  const Encoding encoding = encoding_of({least, most}, Dtype::kUint16);
  noted_.whole[at(value)] = encoding;
  std::vector<std::uint16_t> codes;
  for (float number : numbers)
    codes.push_back(static_cast<std::uint16_t>(
        std::clamp(std::nearbyint(number / encoding.scale) + static_cast<float>(encoding.zero_point), 0.0F, 65535.0F)));
  return dequantize(to_->add_constant(integer_tensor(Dtype::kUint16, *static_shape(info.dims), codes)), encoding);
}

Result<Value> Writer::read(int value) {
  if (value < 0) return Value();
  if (from_.value(value).is_constant()) return constant_operand(value);
  if (const auto& known = encoding(value)) return dequantize(codes_[at(value)], *known);
  return floats_[at(value)];
}

// int8, zero points written. A weight without an encoding stays a float.
Value Writer::weight_operand(int value, std::int64_t axis) {
  const ValueInfo& info = from_.value(value);
  if (!info.encoding) return plain_constant(value);
  const ChannelWeight weight = quantised_by_channel(info.weight);
  const std::int64_t channels = weight.scales->shape()[0];
  noted_.tables[at(value)] = ScaleTable{.scales = weight.scales, .bits = 8, .axis = axis};
  Value codes = to_->add_weight(weight.codes, info.name + ":codes", Dtype::kInt8);
  Value scales = to_->add_weight(weight.scales, info.name + ":scales", Dtype::kFloat32);
  Value zeros = to_->add_constant(Tensor::zeros(Dtype::kInt8, {channels}));
  return to_->add_node("", "DequantizeLinear", {codes, scales, zeros}, {{Dtype::kFloat32, codes.dims()}}, {{"axis", axis}})[0];
}

// What an operator made gets the value's name, unless that is an output's, which is given at the end.
void Writer::store(int value, Value result) {
  const ValueInfo& info = from_.value(value);
  if (is_given_name(info.name) && std::ranges::find(from_.outputs(), value) == from_.outputs().end()) to_->rename(result, info.name);
  const auto& known = encoding(value);
  if (!known) {
    floats_[at(value)] = result;
    return;
  }
  const auto& made_as = encodings_.made_as[at(value)];
  const int producer = info.producer;
  const bool moved = producer >= 0 && ties_encodings(from_.nodes()[at(producer)].op);
  if (made_as && producer >= 0 && !moved) result = dequantize(quantize(result, *made_as), *made_as);
  codes_[at(value)] = quantize(result, *known);
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

Status Writer::pass(const Node& node) {
  codes_[at(node.outputs[0])] = codes_[at(node.inputs[0])];
  floats_[at(node.outputs[0])] = floats_[at(node.inputs[0])];
  return {};
}

Status Writer::matmul(const Node& node) {
  if (from_.value(node.inputs[1]).weight == nullptr) return same_operator(node);
  TRY_ASSIGN(Value x, read(node.inputs[0]));
  emit(node, {x, weight_operand(node.inputs[1], 1)});
  return {};
}

Status Writer::gemm(const Node& node) {
  TRY_ASSIGN(Value x, read(node.inputs[0]));
  emit(node, {x, weight_operand(node.inputs[1], 0)});
  return {};
}

// Reads a float and keeps its weight as it is.
Status Writer::rms_norm(const Node& node) {
  emit(node, {floats_[at(node.inputs[0])], plain_constant(node.inputs[1])});
  return {};
}

Result<IntegerGraph> Writer::write() {
  for (int input : from_.inputs()) {
    const ValueInfo& info = from_.value(input);
    store(input, to_->add_input(info.name, info.dtype, info.dims));
  }
  for (const Node& node : from_.nodes()) {
    Scope scope(*to_, module_of(node), /*absolute=*/true);
    const Row row = node.domain.empty() ? row_of(node.op) : nullptr;
    if (row == nullptr)
      return bad_input("{}: the operator {} of {} has no form with integer activations", from_.name(), node.op, node.name);
    TRY((this->*row)(node));
  }
  for (int output : from_.outputs()) {
    TRY_ASSIGN(Value value, read(output));
    to_->add_output(value, from_.value(output).name);
  }
  return IntegerGraph{.graph = std::move(to_), .encodings = encodings_of(from_, noted_)};
}

}  // namespace

Result<IntegerGraph> to_integers(const Graph& graph, const Ranges& ranges, const IntegerForm& form) {
  TRY_ASSIGN(const ActivationEncodings encodings, encode_activations(graph, ranges, form));
  return Writer(graph, encodings).write();
}

}  // namespace fastvlm
