// Compiling: static ONNX graphs become EPContext wrappers and one context binary for each group. Every compilation runs in a
// child process; its result is kept in a cache, so that a rerun does nothing twice.
#pragma once

#include <string>
#include <vector>

#include "fastvlm/base/json.h"
#include "fastvlm/base/progress.h"
#include "fastvlm/process/worker.h"
#include "fastvlm/run/runtimes.h"
#include "fastvlm/targets/qnn/chips/soc_table.h"
#include "fastvlm/targets/target.h"

namespace fastvlm::qnn {

// Whether this machine can compile: it is an x86-64 one and has the runtime, or the SDK that is named.
Status check_compiler(const RuntimeSearch& search, const Path& sdk);

// Graphs of a group go into one context where the chip can share weights, into one each otherwise.
// Errors: the backend's reason with the offending nodes; the log of a failed child is kept and named.
Result<std::vector<CompiledGroup>> compile_groups(const CompileRequest& request, Progress& progress);

// One child process that compiles some graphs into a folder.
struct ChildCompilation {
  Path program;  // fastvlm-npu, which serves as the child
  RuntimePaths runtimes;
  const Soc* soc = nullptr;
  bool share = false;
  Path graph_folder;
  Path output_folder;
  std::vector<std::string> graphs;
  Path model;        // the file of the one graph, when it is not <graph_folder>/<name>.onnx
  Path data_folder;  // where its external data lie, when that is not beside it
  Path log_folder;   // gets the log of a child that failed, which the error names; empty: no log
  // With a limit of time, a child that dies or takes longer is an Error of kind kCheckFailed.
  ProcessLimits limits{};
};
struct ChildOutcome {
  std::vector<CompiledGraph> graphs;
  double seconds = 0;
  std::uint64_t peak_rss_bytes = 0;
};
Result<ChildOutcome> compile_in_child(const ChildCompilation& compilation);

// The child's side.
inline constexpr const char* kCompileWorker = "__compile-worker";
RequestHandler compile_worker();

}  // namespace fastvlm::qnn
