// The passes over an expanded graph: a short ordered list. Each row has a reason and can be switched off by name; after each
// the graph is checked. No pass recovers a structure that a model function wrote: that is an expansion's work.
#pragma once

#include <functional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "fastvlm/graph/graph.h"

namespace fastvlm::rewrite {

struct Pass {
  const char* name;
  const char* reason;
  // Returns how many nodes it removed.
  std::size_t (*run)(Graph&);
};

// In the order in which they run.
std::span<const Pass> passes();

struct PassOutcome {
  std::string name;
  std::size_t removed = 0;
  double seconds = 0;
};

struct PipelineOptions {
  std::set<std::string> off;  // names of passes to leave out
};

std::vector<PassOutcome> run_passes(Graph& graph, const PipelineOptions& options = {});

// Nodes in topological order, every value made once and before its use. A violation is our own bug.
void check_graph(const Graph& graph);

}  // namespace fastvlm::rewrite
