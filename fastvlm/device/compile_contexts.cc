#include "fastvlm/device/compile_contexts.h"

#include <algorithm>
#include <set>

#include "fastvlm/base/try.h"
#include "fastvlm/compile/graph_weights.h"
#include "fastvlm/device/genie_bundle.h"
#include "fastvlm/onnx/model_file.h"
#include "fastvlm/session/probed_graph.h"

namespace fastvlm::device {
namespace {

namespace fs = std::filesystem;

// What leaves the modules of a graph: blocks of the tower, layers of the decoder, their keys and values. Not the logits, which would
// be the largest by far and are compared anyway.
Result<std::vector<std::string>> probes_of(const Path& graph) {
  TRY_ASSIGN(const OnnxModel model, read_onnx(graph));
  const std::vector<std::string> floats = float_values(model);
  const std::set<std::string> known(floats.begin(), floats.end());
  std::vector<std::string> values = module_values(model);
  std::erase_if(values, [&](const std::string& value) { return value == "logits" || !known.contains(value); });
  if (values.empty()) return bad_input("{}: names no module whose output could be a probe; export again", graph.string());
  return values;
}

// The graphs to compile as files in one folder.
Status write_models(const BundlePlan& plan, const Path& folder, CompiledContexts& compiled, std::vector<CompileGroup>& groups) {
  for (const ContextToCompile& one : plan.to_compile) {
    const Path graph = plan.folder.path / std::ranges::find(plan.folder.manifest.graphs, one.graph, &GraphEntry::name)->file;
    TRY_ASSIGN(const std::string weights, weights_identity(plan.folder.manifest, {&graph, 1}));
    std::vector<std::string> values;
    if (one.probed) {
      TRY_ASSIGN(values, probes_of(graph));
    }
    const std::string name = one.graph + (one.probed ? kProbedEnd : one.coded_pixels ? "_uint16" : "");
    TRY(one.coded_pixels ? write_coded_vision(plan.folder, one.graph, {folder, name}) : write_probed(graph, values, {folder, name}));
    groups.push_back({.name = name, .graphs = {name}, .weights_sha256 = weights});
    if (one.probed) compiled.probed.push_back({.graph = one.graph, .model = folder / (name + ".onnx"), .values = std::move(values)});
  }
  return {};
}

Status move_to(const Path& from, const Path& to) {
  std::error_code failure;
  fs::create_directories(to.parent_path(), failure);
  fs::rename(from, to, failure);
  if (failure) return bad_environment("{}: cannot be moved to {} ({})", from.string(), to.string(), failure.message());
  return {};
}

// Takes binary and wrappers out of the folder of the compiler; what became of each node is not needed on the machine.
Status take(const CompiledGroup& group, const Path& from, const Path& to, std::vector<ContextEntry>& entries) {
  ContextEntry entry{.group = group.name, .binary = group.binary, .bytes = group.bytes};
  TRY(move_to(from / group.binary, to / group.binary));
  for (const CompiledGraph& graph : group.graphs) {
    entry.graphs.push_back({graph.name, graph.wrapper});
    TRY(move_to(from / graph.wrapper, to / graph.wrapper));
  }
  entries.push_back(std::move(entry));
  return {};
}

}  // namespace

Result<CompiledContexts> compile_contexts(const BundlePlan& plan, const BundleOptions& options, const Path& bundle, Progress& progress) {
  CompiledContexts compiled;
  if (plan.to_compile.empty()) return compiled;
  const Target& target = *plan.chip.target;
  TRY(target.check_compiler(options.runtimes, {}));
  TRY_ASSIGN(const RuntimePaths runtimes, target.find_runtimes(options.runtimes));
  // Beside the bundle, so that weights can be linked and contexts renamed.
  TRY_ASSIGN(TemporaryFolder models, TemporaryFolder::create_in(bundle.parent_path()));
  compiled.models.emplace(std::move(models));
  std::vector<CompileGroup> groups;
  const Path output = compiled.models->path() / "contexts";
  std::error_code failure;
  fs::create_directories(output, failure);
  TRY(write_models(plan, compiled.models->path(), compiled, groups));
  TRY_ASSIGN(const auto done, target.compile({.program = options.program,
                                              .runtimes = runtimes,
                                              .graph_folder = compiled.models->path(),
                                              .output_folder = output,
                                              .chip = plan.chip.chip,
                                              .groups = std::move(groups),
                                              .cache_folder = options.cache_folder,
                                              .log_folder = fs::temp_directory_path()},
                                             progress));
  FASTVLM_ASSERT(done.size() == plan.to_compile.size(), "the compiler answers for each group, in their order");
  for (std::size_t i = 0; i < done.size(); ++i) {
    if (const std::string& binary = plan.to_compile[i].binary; !binary.empty())
      TRY(move_to(output / done[i].binary, bundle / binary));
    else
      TRY(take(done[i], output, bundle / compiled_folder(plan.chip.chip->name), compiled.entries));
  }
  return compiled;
}

}  // namespace fastvlm::device
