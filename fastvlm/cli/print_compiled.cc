#include "fastvlm/cli/print_compiled.h"

#include <fmt/format.h>

#include "fastvlm/cli/print.h"

namespace fastvlm::cli {

void print_compiled(const std::vector<CompiledTarget>& targets, bool json) {
  if (json) {
    print_json(compiled_json(targets));
    return;
  }
  std::vector<std::vector<std::string>> rows = {{"target", "context", "size", "graphs", "seconds", "peak memory"}};
  for (const CompiledTarget& target : targets)
    for (const CompiledGroup& group : target.groups) {
      std::string graphs;
      for (const CompiledGraph& graph : group.graphs) graphs += (graphs.empty() ? "" : ", ") + graph.name;
      rows.push_back({target.target, group.binary, human_bytes(group.bytes), graphs,
                      group.cached ? "cached" : fmt::format("{:.1f}", group.seconds), human_bytes(group.peak_rss_bytes)});
    }
  print_table(rows);
}

}  // namespace fastvlm::cli
