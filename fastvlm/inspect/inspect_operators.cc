// What the compiler made of the graphs of a context: from the reports that compile leaves beside it.
#include <algorithm>

#include "fastvlm/base/try.h"
#include "fastvlm/inspect/inspect_parts.h"
#include "fastvlm/targets/registry.h"

namespace fastvlm::inspecting {
namespace {

OrderedJson blocks_json(const CompiledOperators& report) {
  OrderedJson blocks = OrderedJson::array();
  for (const auto& [block, operators] : report.groups())
    blocks.push_back({{"name", block.empty() ? "inserted" : block}, {"operators", operators}});
  return blocks;
}

OrderedJson nodes_json(const CompiledOperators& report) {
  OrderedJson rows = OrderedJson::array();
  for (const auto& [onnx, indices] : report.by_onnx_node()) {
    OrderedJson types = OrderedJson::array();
    for (std::size_t index : indices) types.push_back(report.nodes[index].type);
    rows.push_back({{"onnx", onnx}, {"qnn", types}});
  }
  return rows;
}

}  // namespace

Status add_npu_operators(const ContextFormat& format, const Path& wrapper, const InspectOptions& options, OrderedJson& facts) {
  TRY_ASSIGN(const auto report, format.operators_beside(wrapper));
  if (!report) return {};
  OrderedJson graph = {{"name", *format.graph_of(wrapper)},
                       {"onnx_nodes", report->onnx_node_count},
                       {"operators", report->histogram()},
                       {"blocks", blocks_json(*report)}};
  if (options.tensors) graph["nodes"] = nodes_json(*report);
  facts["qnn_graphs"].push_back(std::move(graph));
  return {};
}

std::vector<Path> wrappers_of(const ContextFormat& format, const Path& context) {
  std::error_code ignored;
  std::vector<Path> wrappers;
  for (const auto& entry : std::filesystem::directory_iterator(context.parent_path(), ignored)) {
    if (!format.graph_of(entry.path())) continue;
    const auto wrapper = format.read_wrapper(entry.path());
    if (wrapper.ok() && wrapper->context_file.filename() == context.filename()) wrappers.push_back(entry.path());
  }
  std::ranges::sort(wrappers);
  return wrappers;
}

void add_soc(std::int64_t soc_model, OrderedJson& facts) {
  facts["soc_model"] = soc_model;
  for (const Target* target : known_targets()) {
    for (const Chip& chip : target->chips()) {
      if (number_of(chip, "soc_model") != soc_model) continue;
      facts["soc"] = fmt::format("{} ({})", chip.name, chip.marketing);
      if (const auto arch = number_of(chip, "htp_arch")) facts["htp_arch"] = fmt::format("v{}", *arch);
      return;
    }
  }
}

}  // namespace fastvlm::inspecting
