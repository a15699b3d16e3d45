#include "fastvlm/onnx/given_weights.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "fastvlm/base/try.h"
#include "fastvlm/onnx/external_data.h"
#include "fastvlm/onnx/parse.h"
#include "fastvlm/tensor/block_quantise.h"

namespace fastvlm {
namespace {

using Initializers = std::map<std::string, const OnnxInitializer*>;

// In this type and so many, with bytes that can be read.
bool holds(const OnnxInitializer& numbers, Dtype dtype, std::int64_t count) {
  if (numbers.dtype != dtype || checked_element_count(numbers.shape) != count) return false;
  if (numbers.constant) return true;
  return numbers.external && is_inside_folder(numbers.external->location) &&
         numbers.external->length.value_or(0) == static_cast<std::uint64_t>(count) * byte_size(dtype);
}

// int8, and zero: what zero points of codes around 0 are. They may be too many for the summary to keep them.
bool is_zero(const onnx::TensorProto& tensor) {
  const bool has_bytes = tensor.data_type() == onnx::TensorProto::INT8 && !tensor.raw_data().empty();
  return has_bytes && std::ranges::all_of(tensor.raw_data(), [](char byte) { return byte == 0; });
}

class Finder {
 public:
  Finder(const OnnxModel& model, const onnx::GraphProto& graph) {
    for (const OnnxInitializer& initializer : model.initializers) initializers_[initializer.name] = &initializer;
    for (const onnx::TensorProto& tensor : graph.initializer())
      if (is_zero(tensor)) zeros_.insert(tensor.name());
  }

  std::optional<GivenWeight> of(const OnnxNode& node) const {
    if (node.domain == kMicrosoftDomain && node.op == "MatMulNBits") return in_blocks(node);
    if (node.op == "DequantizeLinear") return by_channel(node);
    return std::nullopt;
  }

 private:
  const OnnxInitializer* find(const std::string& name) const {
    const auto found = initializers_.find(name);
    return found == initializers_.end() ? nullptr : found->second;
  }

  std::optional<GivenWeight> in_blocks(const OnnxNode& node) const {
    const BlockFormat format{.bits = static_cast<int>(node.integer("bits", 4)), .block = node.integer("block_size", 0)};
    const std::int64_t rows = node.integer("N", 0), columns = node.integer("K", 0);
    if (node.inputs.size() != 3 || format.bits != 8 || format.block < 1 || rows < 1 || columns < 1) return std::nullopt;
    const OnnxInitializer *codes = find(node.inputs[1]), *scales = find(node.inputs[2]);
    if (codes == nullptr || scales == nullptr || !holds(*codes, Dtype::kUint8, rows * format.row_bytes(columns)) ||
        !holds(*scales, Dtype::kFloat32, rows * format.blocks_of(columns)))
      return std::nullopt;
    return GivenWeight{
        .input = codes->name + ":numbers", .shape = {columns, rows}, .codes = *codes, .scales = *scales, .block = format.block};
  }

  std::optional<GivenWeight> by_channel(const OnnxNode& node) const {
    if (node.inputs.size() < 2 || node.inputs.size() > 3 || node.integer("block_size", 0) != 0) return std::nullopt;
    const OnnxInitializer *codes = find(node.inputs[0]), *scales = find(node.inputs[1]);
    const std::int64_t axis = node.integer("axis", 1);
    if (codes == nullptr || scales == nullptr || axis < 0 || axis >= static_cast<std::int64_t>(codes->shape.size())) return std::nullopt;
    const std::int64_t channels = codes->shape[static_cast<std::size_t>(axis)];
    const auto count = checked_element_count(codes->shape);
    if (!count || *count < 1 || !holds(*codes, Dtype::kInt8, *count) || scales->shape != Shape{channels} ||
        !holds(*scales, Dtype::kFloat32, channels))
      return std::nullopt;
    if (node.inputs.size() == 3 && !zeros_.contains(node.inputs[2])) return std::nullopt;
    return GivenWeight{.input = node.outputs[0], .shape = codes->shape, .codes = *codes, .scales = *scales, .axis = axis};
  }

  Initializers initializers_;
  std::set<std::string> zeros_;
};

void add_input(onnx::GraphProto& graph, const GivenWeight& weight) {
  onnx::ValueInfoProto& input = *graph.add_input();
  input.set_name(weight.input);
  auto& tensor = *input.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(onnx::TensorProto::FLOAT);
  for (const std::int64_t extent : weight.shape) tensor.mutable_shape()->add_dim()->set_dim_value(extent);
}

void make_product(onnx::NodeProto& node, const GivenWeight& weight) {
  node.set_op_type("MatMul");
  node.clear_domain();
  node.clear_attribute();
  node.mutable_input()->DeleteSubrange(1, node.input_size() - 1);
  node.add_input(weight.input);
}

// The codes would be read for nothing.
void drop_unused_constants(onnx::GraphProto& graph) {
  std::set<std::string> used;
  for (const auto& node : graph.node()) used.insert(node.input().begin(), node.input().end());
  for (const auto& output : graph.output()) used.insert(output.name());
  keep_constants(graph, used);
}

}  // namespace

Result<GivenWeights> with_given_weights(const Path& model) {
  onnx::ModelProto proto;
  TRY(read_message(model, proto));
  TRY_ASSIGN(const OnnxModel read, summarize(proto, model.string()));
  GivenWeights given;
  onnx::GraphProto& graph = *proto.mutable_graph();
  if (read.has_subgraphs || read.nodes.size() != static_cast<std::size_t>(graph.node_size())) return given;
  std::set<std::string> outputs;
  for (const OnnxValue& output : read.outputs) outputs.insert(output.name);
  const Finder finder(read, graph);
  std::map<std::string, std::string> inputs;  // with the scales that their numbers come from
  std::vector<onnx::NodeProto> nodes;
  for (std::size_t i = 0; i < read.nodes.size(); ++i) {
    onnx::NodeProto& node = *graph.mutable_node(static_cast<int>(i));
    given.keeps_four_bits |= node.op_type() == "MatMulNBits" && read.nodes[i].integer("bits", 4) == 4;
    const auto weight = finder.of(read.nodes[i]);
    const bool replaced = weight && !outputs.contains(weight->input) &&
                          inputs.try_emplace(weight->input, weight->scales.name).first->second == weight->scales.name;
    if (replaced && std::ranges::find(given.weights, weight->input, &GivenWeight::input) == given.weights.end()) {
      given.weights.push_back(*weight);
      add_input(graph, *weight);
    }
    if (replaced && weight->block > 0) make_product(node, *weight);
    if (!replaced || weight->block > 0) nodes.push_back(std::move(node));
  }
  if (given.weights.empty()) return given;
  graph.clear_node();
  for (onnx::NodeProto& node : nodes) *graph.add_node() = std::move(node);
  drop_unused_constants(graph);
  TRY_ASSIGN(given.model, written_again(proto, model.string()));
  return given;
}

}  // namespace fastvlm
