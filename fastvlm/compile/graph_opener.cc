#include "fastvlm/compile/graph_opener.h"

#include <algorithm>

#include "fastvlm/base/try.h"
#include "fastvlm/bundle/manifest.h"
#include "fastvlm/compile/compile_output.h"
#include "fastvlm/compile/graph_weights.h"
#include "fastvlm/run/ort_runner.h"
#include "fastvlm/session/decoded_weights.h"
#include "fastvlm/session/float_edges.h"

namespace fastvlm {
namespace {

Result<OpenGraph> cpu_opener(const GraphOpenerOptions& options) {
  TRY_ASSIGN(const RuntimePaths paths, require_runtimes(options.runtimes, /*with_qnn=*/false));
  TRY_ASSIGN(std::shared_ptr<OrtRuntime> runtime, OrtRuntime::load(paths.onnxruntime_library));
  const auto opener = [&](bool share_weights) -> OpenGraph {
    const OrtRunnerOptions how{
        .threads = static_cast<int>(options.threads), .disable_prepacking = share_weights, .watcher = options.watcher};
    return [runtime, how](const Path& model) -> Result<std::unique_ptr<Runner>> {
      TRY_ASSIGN(std::unique_ptr<Runner> runner, OrtRunner::open(runtime, model, how));
      return runner;
    };
  };
  return with_decoded_weights(opener(options.share_weights), {.threads = options.threads, .open_four_bits = opener(false)});
}

// An Error where the chip can run none of the static graphs.
Status check_some_run(const Manifest& manifest, const ChosenChip& chosen) {
  Status last;
  for (const GraphEntry& graph : manifest.graphs) {
    if (!graph.npu()) continue;
    last = check_precision({&chosen, 1}, precision_of(graph.activations));
    if (last.ok()) break;
  }
  return last;
}

Result<OpenGraph> npu_opener(const GraphOpenerOptions& options, const Result<Manifest>& read) {
  TRY_ASSIGN(const ChosenChip chosen, find_chip(options.known_targets, options.chip));
  NpuRunnerRequest base{.program = options.program,
                        .chip = chosen.chip,
                        .cache_folder = options.cache_folder,
                        .log_folder = std::filesystem::temp_directory_path()};
  TRY_ASSIGN(base.runtimes, chosen.target->find_runtimes(options.runtimes));
  if (!read.ok()) return read.error();
  TRY(check_some_run(*read, chosen));
  return OpenGraph([base, chosen, manifest = *read, on_open = options.on_open](const Path& model) -> Result<std::unique_ptr<Runner>> {
    const auto entry = std::ranges::find(manifest.graphs, model.stem().string(), &GraphEntry::name);
    if (entry != manifest.graphs.end()) TRY(check_graph_runs(*entry, {&chosen, 1}));
    NpuRunnerRequest one = base;
    one.graph = model;
    // A bundle for a machine has contexts only, and keeps nothing in caches.
    std::error_code unreadable;
    if (std::filesystem::exists(model, unreadable)) {
      TRY_ASSIGN(one.weights_sha256, weights_identity(manifest, {&model, 1}));
    }
    if (on_open) on_open(model.stem().string(), *chosen.chip);
    return chosen.target->open_runner(one);
  });
}

}  // namespace

Result<OpenGraph> graph_opener(const GraphOpenerOptions& options) {
  const Result<Manifest> manifest = read_manifest(options.output_dir);
  TRY_ASSIGN(OpenGraph open, options.chip.empty() ? cpu_opener(options) : npu_opener(options, manifest));
  // On the CPU what has no manifest has no such edges: whoever reads one says what is wrong with it.
  return manifest.ok() ? with_float_edges(std::move(open), *manifest) : open;
}

}  // namespace fastvlm
