// A target is a kind of NPU, and everything that this program knows about it is one row: its chips, how semantic operators look
// on it, which operators its graphs are made of, and the functions that compile, run and read what was compiled.
// The rows stand in targets/registry.h.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/base/progress.h"
#include "fastvlm/base/result.h"
#include "fastvlm/onnx/freeze.h"
#include "fastvlm/onnx/model_index.h"
#include "fastvlm/ops/expand.h"
#include "fastvlm/process/worker.h"
#include "fastvlm/run/runner.h"
#include "fastvlm/run/runtimes.h"
#include "fastvlm/targets/compile_load.h"
#include "fastvlm/targets/compiled_context.h"
#include "fastvlm/targets/operator_report.h"

namespace fastvlm {

// What the graphs of an export compute in on an NPU. Float graphs run in half precision, whatever their edges are. Graphs in 16-bit
// integers multiply two activations of 16 bits and have some streams in half precision. Quantised ones are integers throughout.
enum class Precision { kFloat16, kSixteenBits, kQuantised };

struct Chip {
  std::string name;               // as on the command line, in small letters
  std::string alias;              // another common name, or ""
  std::string marketing;          // as the buyer reads it
  std::vector<std::string> also;  // phones that have it (of several chips the one of this vendor), the architecture it stands for
  std::string architecture;       // "HTP v79"
  std::string memory;             // "VTCM 8 MiB"
  // What its vendor's tools call it by: {"soc_model", 69}, …
  std::vector<std::pair<std::string, std::int64_t>> numbers;
  std::uint64_t context_limit_bytes = 0;  // of one context binary that we plan for
  bool weight_sharing = false;            // several graphs over one set of weights in one context
  // What was published about its speed; 0: not known. Only for bounds (compile/speed_bound.h).
  double memory_bytes_per_second = 0;
  double macs_per_second = 0;  // in the type that it is fastest in
  std::string speed_source;    // of both
};

// ---- Compiling ----------------------------------------------------------------------------------------------------------

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
  Path output_folder;  // npu/<chip>/, exists and is empty
  const Chip* chip = nullptr;
  std::vector<CompileGroup> groups;
  unsigned jobs = 0;         // groups compiled at a time; 0: as many as memory allows
  Path cache_folder;         // of compiled contexts; empty: none
  Path log_folder;           // where the log of a failed child stays
  Path sdk;                  // a vendor's SDK to compile with instead of the runtime; empty: the runtime
  std::uint64_t memory = 0;  // bytes that may be taken; 0: what the machine has available
};

struct CompiledGraph {
  std::string name;
  std::string wrapper;  // file name in the output folder
  double seconds = 0;   // of the compiler for this graph
};
struct CompiledGroup {
  std::string name;
  std::string binary;  // file name in the output folder
  std::uint64_t bytes = 0;
  std::vector<CompiledGraph> graphs;
  double seconds = 0;  // from start to end
  std::uint64_t peak_rss_bytes = 0;
  bool cached = false;
  std::string compiler;  // build id; contexts of one process must have one
};

// ---- Running ------------------------------------------------------------------------------------------------------------

struct NpuRunnerRequest {
  Path program;  // fastvlm-npu, which serves as the child
  RuntimePaths runtimes;
  const Chip* chip = nullptr;
  Path graph;                  // npu/<name>.onnx; what was compiled of it lies in npu/<chip>/
  std::string weights_sha256;  // of the graph's external data
  Path cache_folder;           // of contexts for the emulation; empty: none
  Path log_folder;
};

struct CompilerQuestion {
  Path program;  // fastvlm-npu, which serves as the child
  RuntimePaths runtimes;
  const Chip* chip = nullptr;
  Path model;                   // any ONNX file, whatever its name
  std::vector<Freeze> freezes;  // inputs to fix before
  double timeout_seconds = 0;   // 0: none
};

// ---- The row ------------------------------------------------------------------------------------------------------------

// Every function is there unless it says otherwise.
struct Target {
  std::string_view name;             // "qnn-htp"
  std::string_view title;            // "Qualcomm HTP"
  std::string_view runner;           // "htp", as --runner takes it
  std::span<const Chip> (*chips)();  // the first is the one that help shows as the default
  // Reference rows with this target's own in their place.
  const ops::ExpansionTable& (*expansions)();
  // The same where activations are to be integers. May be null: there is no such form.
  const ops::ExpansionTable& (*integer_expansions)() = nullptr;
  // What its static graphs may be made of; "domain::op" outside the ONNX domain.
  std::span<const std::string_view> operators;
  // Whether the value lies within nodes that the NPU joins into one: a probe there would take them apart. May be null.
  bool (*is_joined)(const OnnxIndex& index, const std::string& value) = nullptr;

  // Why graphs of that precision cannot run on the chip, and what to do, as one sentence; nothing where they can.
  std::optional<std::string> (*refuses)(const Chip& chip, Precision precision);

  // What is needed at run time: an Error of the environment that says how to get what is missing.
  Result<RuntimePaths> (*find_runtimes)(const RuntimeSearch& search);
  // Whether this machine can compile: its kind, the runtime, or the SDK when one is named.
  Status (*check_compiler)(const RuntimeSearch& search, const Path& sdk);
  // Graphs of a group go into one context where the chip shares weights, into one each otherwise. Errors: the compiler's reason
  // with the offending nodes; memory or disk short; the log of a failed child is kept and named.
  Result<std::vector<CompiledGroup>> (*compile)(const CompileRequest& request, Progress& progress);
  // Estimates for one context: resident memory while it is compiled, and the size of its binary.
  std::uint64_t (*compile_memory)(const CompileLoad& load);
  std::uint64_t (*context_bytes)(const CompileLoad& load);

  // A static graph on the chip, or on its emulation where this machine has one.
  Result<std::unique_ptr<Runner>> (*open_runner)(const NpuRunnerRequest& request);

  // What it does in child processes: rows for the program's table of workers. May be null.
  std::span<const Worker> (*workers)() = nullptr;

  // What is known about the operators of any ONNX file, without the vendor's software. May be null.
  Result<OperatorReport> (*check_operators)(const OnnxModel& model, const Chip& chip) = nullptr;
  // What the vendor's compiler says about it; a compiler that crashes or does not end is an answer. May be null.
  Result<CompilerAnswer> (*ask_compiler)(const CompilerQuestion& question) = nullptr;

  // How what was compiled is read back. May be null: nobody looks into it.
  const ContextFormat* context_format = nullptr;

  // Whether this machine can only emulate the NPU. May be null: it cannot tell.
  bool (*is_emulated)() = nullptr;
  // Loads ONNX Runtime, and the vendor's plug-in into it when `with_plugin`, in a child process. Returns the version of ONNX
  // Runtime. An Error says why it does not load: the loader's reason, how the child ended, a limit. May be null.
  Result<std::string> (*try_to_load)(const Path& program, const RuntimePaths& runtimes, bool with_plugin,
                                     const ProcessLimits& limits) = nullptr;
};

}  // namespace fastvlm
