// Where graphs of an output folder run: on the CPU, or on a chip (or its emulation).
#pragma once

#include <functional>
#include <string>

#include "fastvlm/run/runtimes.h"
#include "fastvlm/run/watcher.h"
#include "fastvlm/session/output_folder.h"
#include "fastvlm/targets/registry.h"

namespace fastvlm {

struct GraphOpenerOptions {
  Path output_dir;   // whose graphs will be opened
  std::string chip;  // empty: the CPU
  RuntimeSearch runtimes;
  Path program;          // fastvlm-npu, for child processes
  Path cache_folder;     // of contexts for an emulation; empty: none
  unsigned threads = 0;  // on the CPU; 0: one per core
  // On the CPU: weights stay in the mapped file, shared between the graphs, instead of a rearranged copy for each. But weights of 4 bits
  // are rearranged always.
  bool share_weights = false;
  Watcher watcher;  // on the CPU: see run/watcher.h
  // Called before a graph is opened on a chip, which may compile it and take minutes.
  std::function<void(const std::string& graph, const Chip& chip)> on_open;
  Targets known_targets = fastvlm::known_targets();
};

// Looks for the runtimes at once, opens nothing yet. Graphs whose inputs or outputs are codes have float32 there, see
// session/float_edges.h; on the CPU weights of 8 bits are decoded once, see session/decoded_weights.h.
Result<OpenGraph> graph_opener(const GraphOpenerOptions& options);

}  // namespace fastvlm
