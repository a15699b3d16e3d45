// What the child of library_child.h does: every call into the ONNX library's checker and shape inference is made from here.
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <onnx/checker.h>
#include <onnx/onnx_pb.h>

#include <algorithm>

#include "fastvlm/base/json.h"
#include "fastvlm/base/try.h"
#include "fastvlm/onnx/library_child.h"
#include "fastvlm/onnx/node_faults.h"
#include "fastvlm/onnx/parse.h"
#include "fastvlm/onnx/schemas.h"

namespace fastvlm {
namespace {

// The first sentence of what the library throws; the rest is a dump of the node.
std::string first_lines(const std::string& text) {
  std::string line = text.substr(0, text.find("\n\n"));
  std::replace(line.begin(), line.end(), '\n', ' ');
  if (line.size() > 400) line = line.substr(0, 400) + "…";
  return line;
}

// "" when the library can judge the model, otherwise why not.
std::string why_unchecked(const OnnxModel& model) {
  if (model.opset() > newest_known_opset())
    return fmt::format("opset {} is newer than the ONNX library in use, which ends at {}", model.opset(), newest_known_opset());
  for (const auto* nodes : {&model.nodes, &model.inner_nodes})
    for (const OnnxNode& node : *nodes)
      if (!node.domain.empty() && !is_known(node.domain, node.op, 1))
        return fmt::format("the ONNX library does not know {}", operator_name(node.domain, node.op));
  return "";
}

bool uses_extensions(const OnnxModel& model) {
  return std::any_of(model.nodes.begin(), model.nodes.end(),
                     [&](const OnnxNode& node) { return is_extension(node.domain, node.op, node.domain.empty() ? model.opset() : 1); });
}

// check_model of the library, with our schemas beside its own.
void check_with_extensions(const onnx::ModelProto& proto, const Path& path) {
  onnx::checker::CheckerContext context;
  context.set_ir_version(static_cast<int>(proto.ir_version()));
  context.set_model_dir(path.parent_path().string());
  context.set_schema_registry(&strict_schemas());
  std::unordered_map<std::string, int> opsets;
  for (const auto& opset : proto.opset_import()) opsets[opset.domain()] = static_cast<int>(opset.version());
  context.set_opset_imports(opsets);
  onnx::checker::check_graph(proto.graph(), context, onnx::checker::LexicalScopeContext());
}

std::vector<Finding> run_library(onnx::ModelProto& proto, const OnnxModel& model, const Path& path) {
  if (const std::string reason = why_unchecked(model); !reason.empty())
    return {{Severity::kNote, "", fmt::format("the ONNX checker and strict shape inference were left out: {}", reason)}};
  std::vector<Finding> findings;
  try {
    if (uses_extensions(model))
      check_with_extensions(proto, path);
    else
      onnx::checker::check_model(path.string());
  } catch (const std::exception& failure) {
    findings.push_back({Severity::kError, "", fmt::format("ONNX checker: {}", first_lines(failure.what()))});
    return findings;  // shape inference would stumble over the same thing
  }
  // Types first, which following the numbers needs.
  std::string failure = infer_shapes_in_place(proto, {.strict = true});
  if (failure.empty()) failure = infer_shapes_in_place(proto, {.strict = true, .follow_numbers = true});
  if (!failure.empty()) findings.push_back({Severity::kError, "", fmt::format("shape inference: {}", first_lines(failure))});
  return findings;
}

Result<onnx::ModelProto> model_of(const Message& request) {
  if (request.parts.size() != 1) return bad_usage("the request has no model");
  onnx::ModelProto model;
  google::protobuf::io::ArrayInputStream bytes(request.parts[0].data(), static_cast<int>(request.parts[0].size()));
  TRY(parse_message(bytes, model, "model"));
  return model;
}

Result<Message> infer(const Message& request) {
  TRY_ASSIGN(const bool follow_numbers, json_bool(request.header.at("infer"), "follow_numbers", "request"));
  TRY_ASSIGN(onnx::ModelProto model, model_of(request));
  Message answer{.header = {{"note", infer_shapes_in_place(model, {.follow_numbers = follow_numbers})}}};
  onnx::GraphProto graph;
  graph.mutable_value_info()->Swap(model.mutable_graph()->mutable_value_info());
  graph.mutable_output()->Swap(model.mutable_graph()->mutable_output());
  const std::string text = graph.SerializePartialAsString();
  answer.parts.emplace_back(as_bytes(text).begin(), as_bytes(text).end());
  return answer;
}

Result<Message> find_faults(const Message& request) {
  TRY_ASSIGN(onnx::ModelProto model, model_of(request));
  Json rows = Json::array();
  for (const auto& [node, fault] : find_node_faults(model)) rows.push_back({{"node", node}, {"fault", fault}});
  return Message{.header = {{"faults", std::move(rows)}}};
}

Result<Message> check(const Message& request) {
  TRY_ASSIGN(const Path file, json_string(request.header, "check", "request"));
  onnx::ModelProto proto;
  TRY(read_message(file, proto));
  TRY_ASSIGN(OnnxModel model, summarize(proto, file.string()));
  Json rows = Json::array();
  for (const Finding& finding : run_library(proto, model, file))
    rows.push_back({{"severity", static_cast<int>(finding.severity)}, {"subject", finding.subject}, {"message", finding.message}});
  return Message{.header = {{"findings", std::move(rows)}}};
}

}  // namespace

RequestHandler onnx_worker() {
  return [](const Message& request) {
    if (request.header.contains("faults")) return find_faults(request);
    return request.header.contains("infer") ? infer(request) : check(request);
  };
}

}  // namespace fastvlm
