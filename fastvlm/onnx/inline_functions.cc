#include "fastvlm/onnx/inline_functions.h"

#include <onnx/onnx_pb.h>

#include <map>
#include <string>
#include <utility>

#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

constexpr int kMaxDepth = 32;
constexpr int kMaxNodes = 1 << 20;

using Nodes = google::protobuf::RepeatedPtrField<onnx::NodeProto>;
using Attributes = google::protobuf::RepeatedPtrField<onnx::AttributeProto>;

// One call: new names for the values of the function's body, and the attributes that the caller gives.
class Call {
 public:
  Call(const onnx::FunctionProto& function, const onnx::NodeProto& caller, const std::string& prefix) : caller_(caller), prefix_(prefix) {
    for (int i = 0; i < function.input_size(); ++i) names_[function.input(i)] = i < caller.input_size() ? caller.input(i) : "";
    for (int i = 0; i < function.output_size(); ++i)
      if (i < caller.output_size() && !caller.output(i).empty()) names_[function.output(i)] = caller.output(i);
  }

  void adopt(onnx::NodeProto& node) {
    for (auto& input : *node.mutable_input()) input = renamed(input);
    for (auto& output : *node.mutable_output()) output = renamed(output);
    if (!node.name().empty()) node.set_name(prefix_ + node.name());
    Attributes attributes;
    attributes.Swap(node.mutable_attribute());
    for (auto& attribute : attributes) {
      const auto* given = attribute.ref_attr_name().empty() ? &attribute : find(attribute.ref_attr_name());
      if (given == nullptr) continue;  // left out by the caller: the operator's own default
      onnx::AttributeProto* kept = node.add_attribute();
      *kept = *given;
      kept->set_name(attribute.name());
      if (kept->has_g()) adopt(*kept->mutable_g());
      for (auto& graph : *kept->mutable_graphs()) adopt(graph);
    }
  }

 private:
  void adopt(onnx::GraphProto& graph) {
    for (auto& value : *graph.mutable_input()) value.set_name(renamed(value.name()));
    for (auto& value : *graph.mutable_output()) value.set_name(renamed(value.name()));
    for (auto& value : *graph.mutable_initializer()) value.set_name(renamed(value.name()));
    for (auto& node : *graph.mutable_node()) adopt(node);
  }

  std::string renamed(const std::string& name) const {
    if (name.empty()) return name;
    const auto known = names_.find(name);
    return known == names_.end() ? prefix_ + name : known->second;
  }

  const onnx::AttributeProto* find(const std::string& name) const {
    for (const auto& attribute : caller_.attribute())
      if (attribute.name() == name) return &attribute;
    return nullptr;
  }

  const onnx::NodeProto& caller_;
  std::string prefix_;
  std::map<std::string, std::string> names_;
};

class Inliner {
 public:
  explicit Inliner(const onnx::ModelProto& model) {
    for (const auto& function : model.functions()) functions_.emplace(std::pair(function.domain(), function.name()), &function);
  }

  Status write_out(const Nodes& nodes, Nodes& out, int depth) {
    if (depth > kMaxDepth) return bad_input("its functions call each other more than {} times deep", kMaxDepth);
    for (const auto& node : nodes) {
      const auto function = functions_.find({node.domain(), node.op_type()});
      if (function == functions_.end()) {
        if (out.size() >= kMaxNodes) return bad_input("its functions grow to more than {} nodes", kMaxNodes);
        *out.Add() = node;
        continue;
      }
      Call call(*function->second, node, node.op_type() + "#" + std::to_string(++calls_) + "/");
      Nodes body = function->second->node();
      for (auto& inner : body) call.adopt(inner);
      TRY(write_out(body, out, depth + 1));
    }
    return {};
  }

 private:
  std::map<std::pair<std::string, std::string>, const onnx::FunctionProto*> functions_;
  int calls_ = 0;
};

void import_opsets(onnx::ModelProto& model) {
  std::map<std::string, bool> known;
  for (const auto& opset : model.opset_import()) known[opset.domain()] = true;
  for (const auto& function : model.functions())
    for (const auto& opset : function.opset_import())
      if (!std::exchange(known[opset.domain()], true)) *model.add_opset_import() = opset;
}

}  // namespace

Status inline_functions(onnx::ModelProto& model) {
  if (model.functions_size() == 0) return {};
  Nodes nodes;
  TRY(Inliner(model).write_out(model.graph().node(), nodes, 0));
  import_opsets(model);
  model.mutable_graph()->mutable_node()->Swap(&nodes);
  model.clear_functions();
  return {};
}

}  // namespace fastvlm
