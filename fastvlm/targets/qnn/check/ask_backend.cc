#include "fastvlm/targets/qnn/check/ask_backend.h"

#include <unistd.h>

#include "fastvlm/targets/qnn/chips/soc_table.h"
#include "fastvlm/targets/qnn/compile/compile.h"
#include "fastvlm/targets/qnn/context/profile_report.h"

namespace fastvlm::qnn {
namespace {

struct TemporaryFolder {
  Path path = std::filesystem::temp_directory_path() / fmt::format("fastvlm-npu-ask-{}", ::getpid());
  TemporaryFolder() { std::filesystem::create_directories(path); }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

}  // namespace

Result<CompilerAnswer> ask_backend(const NpuRunnerRequest& request) {
  const TemporaryFolder work;
  const std::string name = request.graph.stem().string();
  auto answer = compile_in_child({.program = request.program,
                                  .runtimes = request.runtimes,
                                  .soc = &soc_of(*request.chip),
                                  .graph_folder = request.graph.parent_path(),
                                  .output_folder = work.path,
                                  .graphs = {name}});
  CompilerAnswer result;
  auto refused = read_refused_nodes(work.path / (name + ".qnn") / "qnn_op_trace.json");
  if (refused.ok()) result.refused = std::move(*refused);
  if (answer.ok()) {
    result.accepted = true;
    return result;
  }
  // A refusal is an answer; a missing runtime is not.
  if (answer.error().kind != ErrorKind::kBadInput) return answer.error();
  result.sentence = answer.error().message;
  return result;
}

}  // namespace fastvlm::qnn
