#include <fmt/format.h>

#include "fastvlm/cli/commands.h"
#include "fastvlm/cli/print.h"
#include "fastvlm/compile/compile_output.h"
#include "fastvlm/process/process.h"

namespace fastvlm::cli {

int print_compiled(const std::vector<CompiledTarget>& targets, bool json) {
  if (json) {
    print_json(compiled_json(targets));
    return 0;
  }
  std::vector<std::vector<std::string>> rows = {{"target", "context", "size", "graphs", "seconds", "peak memory"}};
  for (const CompiledTarget& target : targets)
    for (const qnn::CompiledGroup& group : target.groups) {
      std::string graphs;
      for (const qnn::CompiledGraph& graph : group.graphs) graphs += (graphs.empty() ? "" : ", ") + graph.name;
      rows.push_back({target.target, group.binary, human_bytes(group.bytes), graphs,
                      group.cached ? "cached" : fmt::format("{:.1f}", group.seconds), human_bytes(group.peak_rss_bytes)});
    }
  print_table(rows);
  return 0;
}

int compile_command(const CompileArguments& arguments, const CommonArguments& common) {
  auto progress = make_progress(common.quiet || common.json);
  auto compiled = compile_output({.output_dir = arguments.output_dir,
                                  .targets = arguments.targets,
                                  .runtimes = common.runtimes,
                                  .program = own_executable(),
                                  .cache_folder = arguments.no_cache ? Path() : common.runtimes.cache_folder,
                                  .jobs = arguments.jobs,
                                  .sdk = arguments.sdk},
                                 *progress);
  if (!compiled) return print_error(compiled.error());
  return print_compiled(*compiled, common.json);
}

}  // namespace fastvlm::cli
