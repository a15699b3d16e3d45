#include "fastvlm/onnx/coded_input.h"

#include <onnx/onnx_pb.h>

#include <algorithm>

#include "fastvlm/base/try.h"
#include "fastvlm/graph/graph.h"
#include "fastvlm/onnx/model_file.h"
#include "fastvlm/onnx/parse.h"

namespace fastvlm {
namespace {

// The opset of ONNX itself knows 16 bits from 21 on, this one at all times.
void import_microsoft(onnx::ModelProto& proto) {
  const auto& opsets = proto.opset_import();
  if (std::ranges::any_of(opsets, [](const auto& opset) { return opset.domain() == kMicrosoftDomain; })) return;
  auto& opset = *proto.add_opset_import();
  opset.set_domain(kMicrosoftDomain);
  opset.set_version(1);
}

std::string constant(onnx::GraphProto& graph, const std::string& name, const Encoding& encoding, bool scale) {
  onnx::TensorProto& tensor = *graph.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(scale ? onnx::TensorProto::FLOAT : onnx::TensorProto::UINT16);
  if (scale)
    tensor.add_float_data(encoding.scale);
  else
    tensor.add_int32_data(encoding.zero_point);
  return name;
}

}  // namespace

Result<std::string> with_coded_input(const Path& model, const CodedInput& coded) {
  onnx::ModelProto proto;
  TRY(read_message(model, proto));
  onnx::GraphProto& graph = *proto.mutable_graph();
  if (graph.input_size() != 1 || graph.input(0).type().tensor_type().elem_type() != onnx::TensorProto::FLOAT ||
      coded.encoding.dtype != Dtype::kUint16)
    return bad_input("{}: one input of float32 was expected", model.string());
  const std::string input = graph.input(0).name(), floats = input + ":floats";
  graph.mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::UINT16);
  for (auto& node : *graph.mutable_node())
    for (auto& name : *node.mutable_input())
      if (name == input) name = floats;
  onnx::NodeProto& node = *graph.add_node();
  node.set_name(input + "/DequantizeLinear");
  node.set_op_type("DequantizeLinear");
  node.set_domain(kMicrosoftDomain);
  node.add_input(input);
  node.add_input(constant(graph, input + ":scale", coded.encoding, true));
  node.add_input(constant(graph, input + ":zero_point", coded.encoding, false));
  node.add_output(floats);
  for (int i = graph.node_size() - 1; i > 0; --i) graph.mutable_node()->SwapElements(i, i - 1);
  graph.set_name(coded.graph);
  import_microsoft(proto);
  return written_again(proto, model.string());
}

}  // namespace fastvlm
