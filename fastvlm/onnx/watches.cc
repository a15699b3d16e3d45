#include "fastvlm/onnx/watches.h"

#include <onnx/onnx_pb.h>

#include <map>
#include <utility>
#include <vector>

#include "fastvlm/base/try.h"
#include "fastvlm/onnx/attribute.h"
#include "fastvlm/onnx/model_file.h"
#include "fastvlm/onnx/parse.h"

namespace fastvlm {
namespace {

using Slots = std::multimap<std::string, std::string*>;  // where the name of a value stands

onnx::NodeProto watch(const WatchingOperator& watching, const std::string& value, const std::string& from, const std::string& to) {
  onnx::NodeProto node;
  node.set_domain(watching.domain);
  node.set_op_type(watching.name);
  node.set_name(value + ":watch");
  node.add_input(from);
  node.add_output(to);
  add_attribute(node, watching.attribute, value);
  return node;
}

}  // namespace

Result<std::string> with_watches(const Path& model, std::span<const std::string> values, const WatchingOperator& watching) {
  onnx::ModelProto proto;
  TRY(read_message(model, proto));
  onnx::GraphProto& graph = *proto.mutable_graph();
  Slots makers, takers;
  for (auto& node : *graph.mutable_node()) {
    for (std::string& output : *node.mutable_output()) makers.emplace(output, &output);
    for (std::string& input : *node.mutable_input()) takers.emplace(input, &input);
  }
  std::vector<onnx::NodeProto> watches;
  for (const std::string& value : values) {
    // Behind what makes the value; an input has no such node, so there all that take it are changed.
    if (const auto maker = makers.find(value); maker != makers.end()) {
      *maker->second = value + ":unwatched";
      watches.push_back(watch(watching, value, *maker->second, value));
    } else if (const auto [begin, end] = takers.equal_range(value); begin != end) {
      watches.push_back(watch(watching, value, value, value + ":watched"));
      for (auto taker = begin; taker != end; ++taker) *taker->second = value + ":watched";
    } else {
      return bad_input("{}: no node makes or takes \"{}\"", model.string(), value);
    }
  }
  for (onnx::NodeProto& node : watches) *graph.add_node() = std::move(node);
  auto& domain = *proto.add_opset_import();
  domain.set_domain(watching.domain);
  domain.set_version(1);
  return written_again(proto, model.string());
}

}  // namespace fastvlm
