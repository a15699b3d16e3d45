#include "fastvlm/api/compile.h"

#include "fastvlm/api/bridge.h"
#include "fastvlm/base/try.h"
#include "fastvlm/compile/compile_output.h"

namespace fastvlm::api {
namespace {

Result<std::vector<CompiledContext>> compile(const CompileOptions& options, const Work& work) {
  const RuntimeSearch search = search_of(options.runtimes);
  const StopScope stop(work.stop);
  Progress progress(listener_of(work));
  TRY_ASSIGN(const auto targets, compile_output({.output_dir = options.output_dir,
                                                 .targets = options.targets,
                                                 .runtimes = search,
                                                 .program = program_of(options.runtimes),
                                                 .cache_folder = options.use_cache ? search.cache_folder : Path(),
                                                 .jobs = options.jobs,
                                                 .sdk = options.sdk},
                                                progress));
  std::vector<CompiledContext> contexts;
  for (const CompiledTarget& target : targets)
    for (const auto& group : target.groups) {
      CompiledContext& context = contexts.emplace_back();
      context = {.target = target.target,
                 .binary = group.binary,
                 .bytes = group.bytes,
                 .cached = group.cached,
                 .seconds = group.seconds,
                 .peak_memory_bytes = group.peak_rss_bytes};
      for (const auto& graph : group.graphs) context.graphs.push_back(graph.name);
    }
  return contexts;
}

}  // namespace

Result<std::vector<CompiledContext>> compile_contexts(const CompileOptions& options) { return compile_contexts(options, {}); }

Result<std::vector<CompiledContext>> compile_contexts(const CompileOptions& options, const Work& work) {
  return without_exceptions<std::vector<CompiledContext>>([&] { return compile(options, work); });
}

}  // namespace fastvlm::api
