// What the compiler made of the graphs of a context: from the reports that compile leaves beside it.
#include "fastvlm/base/try.h"
#include "fastvlm/inspect/inspect_parts.h"
#include "fastvlm/targets/qnn/chips/soc_table.h"
#include "fastvlm/targets/qnn/compile/compile.h"
#include "fastvlm/targets/qnn/context/context_wrapper.h"
#include "fastvlm/targets/qnn/context/profile_report.h"

namespace fastvlm::inspecting {
namespace {

OrderedJson blocks_json(const QnnGraphReport& report) {
  OrderedJson blocks = OrderedJson::array();
  for (const auto& [block, operators] : report.groups())
    blocks.push_back({{"name", block.empty() ? "inserted" : block}, {"operators", operators}});
  return blocks;
}

OrderedJson nodes_json(const QnnGraphReport& report) {
  OrderedJson rows = OrderedJson::array();
  for (const auto& [onnx, indices] : report.by_onnx_node()) {
    OrderedJson types = OrderedJson::array();
    for (std::size_t index : indices) types.push_back(report.nodes[index].type);
    rows.push_back({{"onnx", onnx}, {"qnn", types}});
  }
  return rows;
}

}  // namespace

Status add_qnn_operators(const Path& wrapper, const InspectOptions& options, OrderedJson& facts) {
  std::string name = wrapper.filename().string();
  if (!name.ends_with(qnn::kContextWrapperEnd)) return {};
  name.resize(name.size() - std::string_view(qnn::kContextWrapperEnd).size());
  const Path file = wrapper.parent_path() / (name + qnn::kOperatorReportEnd);
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return {};
  TRY_ASSIGN(const QnnGraphReport report, read_qnn_graph_json(file));
  OrderedJson graph = {
      {"name", name}, {"onnx_nodes", report.onnx_node_count}, {"operators", report.histogram()}, {"blocks", blocks_json(report)}};
  if (options.tensors) graph["nodes"] = nodes_json(report);
  facts["qnn_graphs"].push_back(std::move(graph));
  return {};
}

std::vector<Path> wrappers_of(const Path& context) {
  std::error_code ignored;
  std::vector<Path> wrappers;
  for (const auto& entry : std::filesystem::directory_iterator(context.parent_path(), ignored)) {
    if (!entry.path().filename().string().ends_with(qnn::kContextWrapperEnd)) continue;
    const auto wrapper = read_context_wrapper(entry.path());
    if (wrapper.ok() && wrapper->context_file.filename() == context.filename()) wrappers.push_back(entry.path());
  }
  std::ranges::sort(wrappers);
  return wrappers;
}

void add_soc(std::int64_t soc_model, OrderedJson& facts) {
  facts["soc_model"] = soc_model;
  const qnn::Soc* soc = qnn::soc_of_model(soc_model);
  if (soc == nullptr) return;
  facts["soc"] = fmt::format("{} ({})", soc->name, soc->marketing);
  facts["htp_arch"] = fmt::format("v{}", soc->htp_arch);
}

}  // namespace fastvlm::inspecting
