#include "fastvlm/targets/qnn/context/context_format.h"

#include "fastvlm/base/try.h"
#include "fastvlm/targets/qnn/context/context_worker.h"
#include "fastvlm/targets/qnn/context/context_wrapper.h"
#include "fastvlm/targets/qnn/context/profile_report.h"

namespace fastvlm::qnn {
namespace {

// The first sixteen bytes of every context of blob version 4.0 that we have seen.
bool is_context(std::string_view head) {
  constexpr std::string_view kHead("\0\0\0\2\0\0\0\3\0\0\0\0\0\0\0\1", 16);
  return head.starts_with(kHead);
}

Status check_head(const Path& context) {
  TRY_ASSIGN(const MappedFile file, MappedFile::open(context));
  return check_context_header(file.bytes(), context.string());
}

Result<ContextInfo> read_context(const ContextQuestion& question) {
  TRY(check_head(question.context));
  TRY_ASSIGN(const RuntimePaths runtimes, find_runtimes(question.runtimes));
  if (runtimes.qnn_folder.empty()) return bad_environment("{}", runtimes.qnn_missing);
  return read_context_in_child(question.context,
                               {.program = question.program, .qnn_system_library = runtimes.qnn_folder / "libQnnSystem.so"});
}

Result<std::optional<CompiledOperators>> operators_beside(const Path& wrapper) {
  const auto graph = kContextFormat.graph_of(wrapper);
  if (!graph) return std::optional<CompiledOperators>();
  const Path file = wrapper.parent_path() / (*graph + kOperatorReportEnd);
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return std::optional<CompiledOperators>();
  TRY_ASSIGN(CompiledOperators report, read_qnn_graph_json(file));
  return std::optional(std::move(report));
}

}  // namespace

constinit const ContextFormat kContextFormat = {
    .title = "qnn context",
    .wrapper_end = kContextWrapperEnd,
    .is_context = is_context,
    .is_wrapper = is_context_wrapper,
    .wrapper_of = context_wrapper_of,
    .read_context = read_context,
    .operators_beside = operators_beside,
};

}  // namespace fastvlm::qnn
