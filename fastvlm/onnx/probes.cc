#include <onnx/onnx_pb.h>

#include <map>
#include <set>

#include "fastvlm/base/try.h"
#include "fastvlm/onnx/library_child.h"
#include "fastvlm/onnx/model_file.h"
#include "fastvlm/onnx/parse.h"

namespace fastvlm {

Result<std::string> with_probes(const Path& model, std::span<const std::string> value_names) {
  onnx::ModelProto proto;
  TRY(read_message(model, proto));
  TRY(summarize(proto, model.string()));  // the sizes that inference trusts
  infer_shapes_in_child(proto);           // what it cannot infer stays untyped, which ONNX Runtime accepts

  onnx::GraphProto& graph = *proto.mutable_graph();
  std::map<std::string, const onnx::ValueInfoProto*> known;
  std::set<std::string> produced, outputs;
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
  }
  std::string bytes;
  if (proto.ByteSizeLong() > kMaxOnnxFile || !proto.SerializeToString(&bytes))
    return bad_input("{}: too large to be written again with probes", model.string());
  return bytes;
}

}  // namespace fastvlm
