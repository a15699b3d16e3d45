// Compiling: static ONNX graphs become EPContext wrappers and one context binary for each group. Every compilation runs in a
// child process; its result is kept in a cache, so that a rerun does nothing twice.
#pragma once

#include <string>
#include <vector>

#include "fastvlm/base/json.h"
#include "fastvlm/base/progress.h"
#include "fastvlm/run/runtimes.h"
#include "fastvlm/targets/qnn/chips/soc_table.h"

namespace fastvlm::qnn {

// What stands in the folder of a chip for a graph: the wrapper, and the QNN operators that its nodes became.
inline constexpr const char* kContextWrapperEnd = "_ctx.onnx";
inline constexpr const char* kOperatorReportEnd = "_qnn_graph.json";

// Graphs that share one set of weights in one context.
struct CompileGroup {
  std::string name;                 // "vision", "decoder", …
  std::vector<std::string> graphs;  // "vision_256", …: <folder>/<name>.onnx
  std::string weights_sha256;       // of the external data, for the cache
};

struct CompileRequest {
  Path program;  // fastvlm-npu itself, which serves as the child
  RuntimePaths runtimes;
  Path graph_folder;   // npu/
  Path output_folder;  // npu/<target>/, exists and is empty
  const Soc* soc = nullptr;
  std::vector<CompileGroup> groups;
  unsigned jobs = 1;  // groups compiled at a time
  Path cache_folder;  // empty: no cache
  Path log_folder;    // where the log of a failed child stays
};

struct CompiledGraph {
  std::string name;
  std::string wrapper;  // file name in the output folder
  double seconds = 0;   // of the backend for this graph
};
struct CompiledGroup {
  std::string name;
  std::string binary;  // file name in the output folder
  std::uint64_t bytes = 0;
  std::vector<CompiledGraph> graphs;
  double seconds = 0;  // of the child process, from start to end
  std::uint64_t peak_rss_bytes = 0;
  bool cached = false;
};

// An Error for chips that cannot compute float graphs.
Status check_half_precision(const Soc& soc);

// Graphs of a group go into one context where the chip can share weights, into one each otherwise.
// Errors: the backend's reason with the offending nodes; the log of a failed child is kept and named.
Result<std::vector<CompiledGroup>> compile_groups(const CompileRequest& request, Progress& progress);

// One child process that compiles some graphs into a folder.
struct ChildCompilation {
  RuntimePaths runtimes;
  const Soc* soc = nullptr;
  bool share = false;
  Path graph_folder;
  Path output_folder;
  std::vector<std::string> graphs;
};
struct ChildOutcome {
  Json graphs;  // [{name, seconds}, …]
  double seconds = 0;
  std::uint64_t peak_rss_bytes = 0;
};
// `log_file` is removed when all went well and named in the error otherwise; it may be empty.
Result<ChildOutcome> compile_in_child(const Path& program, const ChildCompilation& compilation, const Path& log_file);

// The hidden verb and the child's side: reads a request on standard input, prints one line that begins with kResultMark.
inline constexpr const char* kCompileVerb = "__compile-worker";
inline constexpr const char* kResultMark = "RESULT ";
int compile_worker_main();

}  // namespace fastvlm::qnn
