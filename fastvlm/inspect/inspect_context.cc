// Context binaries, with what compile left beside them.
#include <algorithm>

#include "fastvlm/base/try.h"
#include "fastvlm/inspect/inspect_parts.h"

namespace fastvlm::inspecting {
namespace {

// The bound of the graphs in a context, with what they spill, where it lies in npu/<chip>/ of an output folder.
void add_bounds(const ContextFormat& format, const ContextInfo& info, const Path& context, OrderedJson& facts) {
  const Path folder = std::filesystem::absolute(context).parent_path().parent_path().parent_path();
  const auto manifest = read_manifest(folder);
  if (!manifest.ok()) return;
  SpeedBoundOf of{.chips = {std::filesystem::absolute(context).parent_path().filename().string()}, .graphs = {}};
  for (const Path& file : wrappers_of(format, context)) {
    of.graphs.push_back(*format.graph_of(file));
    const auto wrapper = format.read_wrapper(file);
    if (!wrapper.ok()) continue;
    const auto graph = std::ranges::find(info.graphs, wrapper->partition_name, &ContextGraph::name);
    if (graph != info.graphs.end()) of.spill_fill_bytes[of.graphs.back()] = graph->spill_fill_bytes.value_or(0);
  }
  if (!of.graphs.empty()) add_speed_bounds(folder, *manifest, of, facts);
}

}  // namespace

Status add_context(const ContextFormat& format, const InspectOptions& options, InspectReport& report) {
  report.facts["kind"] = format.title;
  auto info = format.read_context({.program = options.program, .runtimes = options.runtimes, .context = options.path});
  if (!info.ok() && info.error().kind == ErrorKind::kEnvironment) {
    report.problem = info.error();
    return {};
  }
  if (!info.ok()) return std::move(info).error();
  OrderedJson context = context_info_to_json(*info);
  context.erase("file");
  context.erase("bytes");
  report.facts.update(context);
  report.facts["sdk_version"] = info->sdk_version();
  if (info->soc_model) add_soc(static_cast<std::int64_t>(*info->soc_model), report.facts);
  if (info->dsp_arch) report.facts["htp_arch"] = fmt::format("v{}", *info->dsp_arch);
  for (const Path& wrapper : wrappers_of(format, options.path)) TRY(add_npu_operators(format, wrapper, options, report.facts));
  add_bounds(format, *info, options.path, report.facts);
  return {};
}

}  // namespace fastvlm::inspecting
