#include "fastvlm/targets/qnn/context/profile_report.h"

#include <algorithm>
#include <string_view>

#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

constexpr std::size_t kMaxTrace = std::size_t{256} << 20;
constexpr std::int64_t kReportVersion = 1;

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// ONNX Runtime appends "_token_<n>" to the names of nodes that it replaces while it changes the layout.
std::string without_token(const std::string& name) {
  constexpr std::string_view kToken = "_token_";
  const std::size_t at = name.rfind(kToken);
  if (at == std::string::npos || !is_number(std::string_view(name).substr(at + kToken.size()))) return name;
  return name.substr(0, at);
}

// Nodes that ONNX Runtime inserts to change the layout carry no module path: they are named like their operator.
bool is_inserted(const std::string& name) {
  return name.empty() || name == "Transpose" || name == "Reshape" || name == "Squeeze" || name == "Unsqueeze";
}

void add_source(const std::string& name, NpuOperator& node) {
  std::string onnx_name = without_token(name);
  if (!is_inserted(onnx_name)) node.onnx_nodes.push_back(std::move(onnx_name));
}

// A quantized unit lists its Q/DQ nodes too; the group is that of the first node with a module path.
void set_group(NpuOperator& node) {
  if (node.onnx_nodes.empty()) return;
  auto has_path = [](const std::string& name) { return name.find('.') < name.find('/'); };
  auto first = std::find_if(node.onnx_nodes.begin(), node.onnx_nodes.end(), has_path);
  node.group = qnn_group_of(first == node.onnx_nodes.end() ? node.onnx_nodes.front() : *first);
}

Result<NpuOperator> node_of_trace(const Json& mapping, const std::string& what) {
  NpuOperator node;
  TRY_ASSIGN(node.name, json_string(mapping, "dst_name", what));
  TRY_ASSIGN(node.type, json_string(mapping, "dst_qnn_op_type", what));
  TRY_ASSIGN(const Json* sources, json_array(mapping, "sources", what));
  for (const Json& source : *sources) {
    TRY_ASSIGN(std::string kind, json_string(source, "type", what));
    TRY_ASSIGN(std::string name, json_string(source, "name", what));
    if (kind == "OP") add_source(name, node);
  }
  set_group(node);
  return node;
}

// The list of refused nodes under `key`; {} when there is none.
Result<std::vector<RefusedNode>> refused_of(const Json& json, const char* key, const std::string& what) {
  std::vector<RefusedNode> refused;
  if (json_find(json, key) == nullptr) return refused;
  TRY_ASSIGN(const Json* list, json_array(json, key, what));
  for (const Json& entry : *list) {
    RefusedNode node;
    TRY_ASSIGN(node.name, json_string(entry, "node_name", what));
    TRY_ASSIGN(node.type, json_string(entry, "op_type", what));
    TRY_ASSIGN(node.reason, json_string(entry, "reason", what));
    refused.push_back(std::move(node));
  }
  return refused;
}

Result<CompiledOperators> report_of_trace(const Json& json, const std::string& what) {
  TRY_ASSIGN(const Json* traces, json_array(json, "subgraph_traces", what));
  CompiledOperators report;
  TRY_ASSIGN(report.refused, refused_of(json, "unsupported_nodes", what));
  if (traces->size() != 1) {
    return bad_input("{}: traces {} QNN graphs where one is expected; {} nodes were refused, the first is \"{}\"", what, traces->size(),
                     report.refused.size(), report.refused.empty() ? "" : report.refused.front().name);
  }
  const Json& trace = traces->front();
  TRY_ASSIGN(report.graph_name, json_string(trace, "graph_name", what));
  TRY_ASSIGN(const Json* mappings, json_array(trace, "op_mappings", what));
  for (const Json& mapping : *mappings) {
    TRY_ASSIGN(NpuOperator node, node_of_trace(mapping, what));
    report.nodes.push_back(std::move(node));
  }
  if (const Json* summary = json_find(json, "summary"); summary && json_find(*summary, "total_onnx_nodes")) {
    TRY_ASSIGN(report.onnx_node_count, json_integer(*summary, "total_onnx_nodes", what));
  }
  return report;
}

Result<CompiledOperators> report_of_dump(const Json& nodes, const std::string& what) {
  CompiledOperators report;
  for (const auto& [name, from] : nodes.items()) {
    NpuOperator node{.name = name};
    TRY_ASSIGN(node.type, json_string(from, "type", what));
    add_source(name, node);
    set_group(node);
    report.nodes.push_back(std::move(node));
  }
  return report;
}

Result<CompiledOperators> report_of_report(const Json& json, const std::string& what) {
  TRY_ASSIGN(std::int64_t version, json_integer(json, "qnn_graph_report", what));
  if (version != kReportVersion) {
    return bad_input("{}: a report of version {}, known is {}; another version of this program wrote it", what, version, kReportVersion);
  }
  CompiledOperators report;
  TRY_ASSIGN(report.graph_name, json_string(json, "graph_name", what));
  TRY_ASSIGN(report.onnx_node_count, json_integer(json, "onnx_node_count", what));
  TRY_ASSIGN(report.refused, refused_of(json, "refused", what));
  TRY_ASSIGN(const Json* nodes, json_array(json, "nodes", what));
  for (const Json& from : *nodes) {
    const bool well_formed =
        from.is_array() && from.size() >= 2 && std::all_of(from.begin(), from.end(), [](const Json& text) { return text.is_string(); });
    if (!well_formed) return bad_input("{}: a node must be a list of texts: name, type, ONNX nodes", what);
    NpuOperator node{.name = from[0], .type = from[1]};
    for (std::size_t i = 2; i < from.size(); ++i) node.onnx_nodes.push_back(from[i]);
    set_group(node);
    report.nodes.push_back(std::move(node));
  }
  return report;
}

}  // namespace

Result<CompiledOperators> parse_qnn_graph_json(const Json& json, const std::string& what) {
  if (json_find(json, "qnn_graph_report")) return report_of_report(json, what);
  if (json_find(json, "subgraph_traces")) return report_of_trace(json, what);
  if (const Json* graph = json_find(json, "graph")) {
    const Json* nodes = json_find(*graph, "nodes");
    if (nodes && nodes->is_object()) return report_of_dump(*nodes, what);
  }
  return bad_input("{}: neither an op trace nor a graph dump of the QNN plug-in", what);
}

Result<CompiledOperators> read_qnn_graph_json(const Path& path) {
  TRY_ASSIGN(Json json, read_json_file(path, kMaxTrace));
  TRY_ASSIGN(CompiledOperators report, parse_qnn_graph_json(json, path.string()));
  // A dump is called after its graph.
  if (report.graph_name.empty()) report.graph_name = path.stem().string();
  return report;
}

Result<std::vector<RefusedNode>> read_refused_nodes(const Path& op_trace) {
  TRY_ASSIGN(Json json, read_json_file(op_trace, kMaxTrace));
  return refused_of(json, "unsupported_nodes", op_trace.string());
}

OrderedJson qnn_graph_report_to_json(const CompiledOperators& report) {
  OrderedJson json = {{"qnn_graph_report", kReportVersion}, {"graph_name", report.graph_name}, {"onnx_node_count", report.onnx_node_count},
                      {"histogram", report.histogram()},    {"groups", report.groups()},       {"refused", OrderedJson::array()},
                      {"nodes", OrderedJson::array()}};
  for (const RefusedNode& node : report.refused) {
    json["refused"].push_back({{"node_name", node.name}, {"op_type", node.type}, {"reason", node.reason}});
  }
  for (const NpuOperator& node : report.nodes) {
    OrderedJson to = {node.name, node.type};
    for (const std::string& name : node.onnx_nodes) to.push_back(name);
    json["nodes"].push_back(std::move(to));
  }
  return json;
}

std::string qnn_group_of(const std::string& onnx_node) {
  constexpr std::size_t kParts = 3;
  const std::string_view path = std::string_view(onnx_node).substr(0, onnx_node.find('/'));
  if (onnx_node.find('/') == std::string::npos || path.empty()) return "graph";
  std::size_t end = 0, parts = 0, third = path.size();
  bool counted = false;  // the part before was "layers" or "blocks"
  while (end < path.size()) {
    const std::size_t begin = end == 0 ? 0 : end + 1;
    end = std::min(path.find('.', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (counted && is_number(part)) return std::string(path.substr(0, end));
    counted = part == "layers" || part == "blocks";
    if (++parts == kParts) third = end;
  }
  return std::string(path.substr(0, third));
}

}  // namespace fastvlm
