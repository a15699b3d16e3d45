#include "fastvlm/inspect/inspect_context.h"

#include <cstdio>

#include "fastvlm/base/try.h"
#include "fastvlm/inspect/inspect_parts.h"
#include "fastvlm/process/process.h"

namespace fastvlm {
namespace {

constexpr std::string_view kMark = "CONTEXT ";
constexpr double kTimeoutSeconds = 120;

// The line with the mark; the vendor library may print around it.
std::optional<std::string> marked_line(const std::string& output) {
  const auto at = output.rfind("\n" + std::string(kMark));
  if (at == std::string::npos) return std::nullopt;
  const auto begin = at + 1 + kMark.size();
  return output.substr(begin, output.find('\n', begin) - begin);
}

Status check_head(const Path& context) {
  TRY_ASSIGN(MappedFile file, MappedFile::open(context));
  return check_context_header(file.bytes(), context.string());
}

}  // namespace

int context_worker_main(const Path& context, const Path& qnn_system_library) {
  auto info = read_context(context, qnn_system_library);
  OrderedJson answer;
  if (info.ok())
    answer = {{"ok", true}, {"context", context_info_to_json(*info)}};
  else
    answer = {{"ok", false}, {"kind", static_cast<int>(info.error().kind)}, {"message", info.error().message}};
  std::printf("\n%s%s\n", kMark.data(), answer.dump(-1, ' ', false, OrderedJson::error_handler_t::replace).c_str());
  std::fflush(stdout);
  return 0;
}

Result<ContextInfo> read_context_in_child(const InspectOptions& options, const Path& context) {
  TRY(check_head(context));
  TRY_ASSIGN(RuntimePaths runtimes, find_runtimes(options.runtimes));
  if (runtimes.qnn_folder.empty()) return bad_environment("{}", runtimes.qnn_missing);
  TRY_ASSIGN(ProcessResult child,
             run_process({.program = options.program,
                          .arguments = {kContextVerb, context.string(), (runtimes.qnn_folder / "libQnnSystem.so").string()},
                          .timeout_seconds = kTimeoutSeconds}));
  const auto line = marked_line(child.output);
  if (!line)
    return bad_input("{}: QnnSystem crashed while reading it (the process {}); the file is damaged", context.string(), describe(child));
  TRY_ASSIGN(Json answer, parse_json(*line, context.string()));
  const Json* info = json_find(answer, "context");
  if (info != nullptr) return context_info_from_json(*info, context.string());
  return Error{static_cast<ErrorKind>(answer.value("kind", 3)), answer.value("message", "QnnSystem gave no answer")};
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
  for (const Path& wrapper : wrappers_of(options.path)) TRY(add_qnn_operators(wrapper, options, report.facts));
  return {};
}

}  // namespace inspecting
}  // namespace fastvlm
