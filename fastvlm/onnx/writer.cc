#include "fastvlm/onnx/writer.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <set>

#include "fastvlm/base/try.h"
#include "fastvlm/onnx/attribute.h"
#include "fastvlm/tensor/convert.h"

namespace fastvlm {
namespace {

void write_value_info(const ValueInfo& value, onnx::ValueInfoProto& to) {
  to.set_name(value.name);
  auto* tensor = to.mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(facts(value.dtype).onnx);
  auto* shape = tensor->mutable_shape();
  for (const Dim& dim : value.dims) {
    if (dim.is_static())
      shape->add_dim()->set_dim_value(dim.value);
    else
      shape->add_dim()->set_dim_param(dim.symbol);
  }
}

void write_node(const Graph& graph, const Node& node, onnx::NodeProto& to) {
  FASTVLM_ASSERT(node.domain != kSemanticDomain, "every semantic node is expanded before it is written");
  to.set_op_type(node.op);
  to.set_domain(node.domain);
  to.set_name(node.name);
  for (int input : node.inputs) to.add_input(input < 0 ? std::string() : graph.value(input).name);
  for (int output : node.outputs) to.add_output(graph.value(output).name);
  for (const auto& [name, attribute] : node.attributes) add_attribute(to, name, attribute);
}

void add_entry(onnx::TensorProto& tensor, const char* key, const std::string& value) {
  auto* entry = tensor.add_external_data();
  entry->set_key(key);
  entry->set_value(value);
}

Status write_initializer(const ValueInfo& value, const DataLayout& layout, const OnnxOptions& options, onnx::TensorProto& to) {
  to.set_name(value.name);
  to.set_data_type(facts(value.dtype).onnx);
  for (const Dim& dim : value.dims) to.add_dims(dim.value);
  if (value.constant) {
    to.set_raw_data(value.constant->bytes.data(), value.constant->bytes.size());
    return {};
  }
  if (const WeightPlace* place = layout.find(value.weight, value.dtype)) {
    to.set_data_location(onnx::TensorProto::EXTERNAL);
    add_entry(to, "location", place->file);
    add_entry(to, "offset", std::to_string(place->offset));
    add_entry(to, "length", std::to_string(place->bytes));
    return {};
  }
  if (value.weight->is_packed()) {
    std::vector<std::byte> codes(static_cast<std::size_t>(element_count(value.weight->shape())));
    TRY_ASSIGN(const CastLosses losses, value.weight->read_packed_rows(0, value.weight->row_count(), codes));
    if (options.losses != nullptr && losses.any()) (*options.losses)[value.name] = losses;
    to.set_raw_data(codes.data(), codes.size());
    return {};
  }
  TRY_ASSIGN(std::vector<float> values, value.weight->read_all());
  std::vector<std::byte> bytes(values.size() * byte_size(value.dtype));
  const CastLosses losses = from_float32(values, value.dtype, bytes);
  if (options.losses != nullptr && losses.any()) (*options.losses)[value.name] = losses;
  to.set_raw_data(bytes.data(), bytes.size());
  return {};
}

bool has_blocks(const Node& node) { return node.domain.empty() && node.attributes.contains("block_size"); }

}  // namespace

Result<std::string> to_onnx(const Graph& graph, const DataLayout& layout, const OnnxOptions& options) {
  onnx::ModelProto model;
  const bool newer = std::ranges::any_of(graph.nodes(), has_blocks);
  model.set_ir_version(newer ? std::max<std::int64_t>(options.ir_version, 10) : options.ir_version);
  model.set_producer_name("fastvlm-npu");
  model.set_producer_version(options.producer_version);
  auto& to = *model.mutable_graph();
  to.set_name(graph.name());
  std::set<std::string> domains = {""};
  std::set<int> used;
  for (const Node& node : graph.nodes()) {
    write_node(graph, node, *to.add_node());
    domains.insert(node.domain);
    used.insert(node.inputs.begin(), node.inputs.end());
  }
  for (int index : used)
    if (index >= 0 && graph.value(index).is_constant()) TRY(write_initializer(graph.value(index), layout, options, *to.add_initializer()));
  for (int input : graph.inputs()) write_value_info(graph.value(input), *to.add_input());
  for (int output : graph.outputs()) write_value_info(graph.value(output), *to.add_output());
  for (const std::string& domain : domains) {
    auto* opset = model.add_opset_import();
    opset->set_domain(domain);
    opset->set_version(!domain.empty() ? 1 : newer ? std::max<std::int64_t>(options.opset, 21) : options.opset);
  }
  return model.SerializeAsString();
}

}  // namespace fastvlm
