#include <onnx/onnx_pb.h>

#include <map>
#include <set>
#include <vector>

#include "fastvlm/base/try.h"
#include "fastvlm/onnx/library_child.h"
#include "fastvlm/onnx/model_file.h"
#include "fastvlm/onnx/parse.h"

namespace fastvlm {
namespace {

using Readers = std::map<std::string, std::vector<const onnx::NodeProto*>>;  // of each value

Readers readers_of(const onnx::GraphProto& graph) {
  Readers readers;
  for (const auto& node : graph.node())
    for (const std::string& input : node.input()) readers[input].push_back(&node);
  return readers;
}

// The node that makes codes of the value, where nothing else reads it.
const onnx::NodeProto* quantizer_of(const Readers& readers, const std::string& name) {
  const auto found = readers.find(name);
  if (found == readers.end()) return nullptr;
  for (const onnx::NodeProto* node : found->second)
    if (node->op_type() != "QuantizeLinear" || node->input(0) != name) return nullptr;
  return found->second.front();
}

// An operator whose floats are an output is joined with no QuantizeLinear behind it, and an NPU then computes it otherwise or not at all.
// So the name goes to what its codes stand for.
void move_behind_codes(onnx::GraphProto& graph, const onnx::NodeProto& quantizer, const std::string& name) {
  const std::string before = name + ":unrounded";
  onnx::NodeProto dequantizer;
  dequantizer.set_op_type("DequantizeLinear");
  dequantizer.set_name(name + ":probe");
  dequantizer.add_input(quantizer.output(0));
  for (int i = 1; i < quantizer.input_size(); ++i) dequantizer.add_input(quantizer.input(i));
  for (const auto& attribute : quantizer.attribute())
    if (attribute.name() == "axis" || attribute.name() == "block_size") *dequantizer.add_attribute() = attribute;
  for (auto& node : *graph.mutable_node()) {
    for (auto& input : *node.mutable_input())
      if (input == name) input = before;
    for (auto& output : *node.mutable_output())
      if (output == name) output = before;
  }
  dequantizer.add_output(name);
  *graph.add_node() = std::move(dequantizer);
}

}  // namespace

Result<std::string> with_probes(const Path& model, std::span<const std::string> value_names) {
  onnx::ModelProto proto;
  TRY(read_message(model, proto));
  TRY(summarize(proto, model.string()));  // the sizes that inference trusts
  infer_shapes_in_child(proto);           // what it cannot infer stays untyped, which ONNX Runtime accepts

  onnx::GraphProto& graph = *proto.mutable_graph();
  std::map<std::string, const onnx::ValueInfoProto*> known;
  std::set<std::string> produced, outputs;
  const Readers readers = readers_of(graph);
  for (const auto& value : graph.value_info()) known.emplace(value.name(), &value);
  for (const auto& value : graph.output()) outputs.insert(value.name());
  for (const auto& node : graph.node()) produced.insert(node.output().begin(), node.output().end());

  for (const std::string& name : value_names) {
    if (name.empty() || !produced.contains(name))
      return bad_usage("{}: no node has an output \"{}\"; a probe needs the name of an intermediate value", model.string(), name);
    if (!outputs.insert(name).second) continue;
    onnx::ValueInfoProto* output = graph.add_output();
    output->set_name(name);
    if (const auto found = known.find(name); found != known.end()) *output->mutable_type() = found->second->type();
    if (const onnx::NodeProto* quantizer = quantizer_of(readers, name)) move_behind_codes(graph, *quantizer, name);
  }
  return written_again(proto, model.string());
}

}  // namespace fastvlm
