// compile: the static graphs of an output folder become contexts for one or several chips.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "fastvlm/base/json.h"
#include "fastvlm/base/progress.h"
#include "fastvlm/base/shard.h"
#include "fastvlm/bundle/manifest.h"
#include "fastvlm/run/runtimes.h"
#include "fastvlm/targets/registry.h"

namespace fastvlm {

struct CompileOptions {
  Path output_dir;
  std::vector<std::string> targets;
  RuntimeSearch runtimes;
  Path program;       // fastvlm-npu, for child processes
  Path cache_folder;  // empty: no cache
  unsigned jobs = 0;  // 0: as many as memory allows
  Path sdk;           // a vendor's SDK whose tools compile instead of the runtime; its contexts have no ONNX wrappers
  Targets known_targets = fastvlm::known_targets();
};

struct CompiledTarget {
  std::string target;
  std::vector<CompiledGroup> groups;
};

// The static graphs of a folder as they are compiled together, each group with the name of the weights that its graphs take.
Result<std::vector<CompileGroup>> compile_groups(const Manifest& manifest, const Path& folder);

// What can be said before any work: unknown chips, missing runtimes.
Status check_compile(const CompileOptions& options);

// Why the chips cannot run the graph: an Error with its file, its recipe and what to do.
Status check_graph_runs(const GraphEntry& graph, std::span<const ChosenChip> chips);

// Writes npu/<target>/, whole or not at all, and enters the files into the manifest. What exists for a target is replaced.
Result<std::vector<CompiledTarget>> compile_output(const CompileOptions& options, Progress& progress);

// Compiles this part of all contexts of all targets into the cache folder, and changes nothing in the output folder, which several
// machines may read. compile_output() then takes them from there: the same bytes, whoever made them, as an entry is found by what it is
// made of; what is missing it compiles itself.
Result<std::vector<CompiledTarget>> compile_shard(const CompileOptions& options, const Shard& shard, Progress& progress);

OrderedJson compiled_json(const std::vector<CompiledTarget>& targets);

}  // namespace fastvlm
