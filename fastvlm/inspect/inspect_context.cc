#include "fastvlm/inspect/inspect_context.h"

#include "fastvlm/base/try.h"
#include "fastvlm/inspect/inspect_parts.h"
#include "fastvlm/targets/qnn/compile/compile.h"
#include "fastvlm/targets/qnn/context/context_worker.h"

namespace fastvlm {
namespace {

Status check_head(const Path& context) {
  TRY_ASSIGN(MappedFile file, MappedFile::open(context));
  return check_context_header(file.bytes(), context.string());
}

}  // namespace

Result<ContextInfo> read_context_in_child(const InspectOptions& options, const Path& context) {
  TRY(check_head(context));
  TRY_ASSIGN(RuntimePaths runtimes, find_runtimes(options.runtimes));
  if (runtimes.qnn_folder.empty()) return bad_environment("{}", runtimes.qnn_missing);
  return read_context_in_child(context, {.program = options.program, .qnn_system_library = runtimes.qnn_folder / "libQnnSystem.so"});
}

// The bound of the graphs in a context, where it lies in npu/<chip>/ of an output folder.
void add_bounds(const Path& context, const std::vector<Path>& wrappers, OrderedJson& facts) {
  const Path folder = std::filesystem::absolute(context).parent_path().parent_path().parent_path();
  const auto manifest = read_manifest(folder);
  if (!manifest.ok()) return;
  inspecting::SpeedBoundOf of{.chips = {std::filesystem::absolute(context).parent_path().filename().string()}, .graphs = {}};
  for (const Path& wrapper : wrappers) {
    const std::string name = wrapper.filename().string();
    of.graphs.push_back(name.substr(0, name.size() - std::string_view(qnn::kContextWrapperEnd).size()));
  }
  if (!of.graphs.empty()) inspecting::add_speed_bounds(folder, *manifest, of, facts);
}

namespace inspecting {

Status add_context(const InspectOptions& options, InspectReport& report) {
  report.facts["kind"] = "qnn context";
  auto info = read_context_in_child(options, options.path);
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
  const std::vector<Path> wrappers = wrappers_of(options.path);
  for (const Path& wrapper : wrappers) TRY(add_qnn_operators(wrapper, options, report.facts));
  add_bounds(options.path, wrappers, report.facts);
  return {};
}

}  // namespace inspecting
}  // namespace fastvlm
