// The contexts of a layout: its static graphs are written beside the folder, compiled through the row of the chip, and go again.
#pragma once

#include <string>

#include "fastvlm/clients/layout.h"

namespace fastvlm::clients {

struct ContextOptions {
  ChosenChip chip;
  RuntimeSearch runtimes;
  Path program;       // fastvlm-npu, for child processes
  Path cache_folder;  // of compiled contexts; empty: none
  unsigned jobs = 0;  // contexts compiled at a time; 0: as many as memory allows
  unsigned threads = 0;
};

// File names, and sizes as the target estimates them.
std::vector<PlannedFile> planned_contexts(const LayoutFiles& files, const Target& target);
// Bytes of the graphs and weights that lie on the disk while compiling.
std::uint64_t compile_scratch_bytes(const LayoutFiles& files);

struct WrittenContexts {
  std::vector<std::string> files;            // below the folder
  std::string compiler;                      // "v2.51.0.260929181845"
  std::map<std::string, CastLosses> losses;  // of the weights
};
// Into `folder`, which is being written.
Result<WrittenContexts> write_contexts(const LayoutFiles& files, const Path& folder, const ContextOptions& options, Progress& progress);

}  // namespace fastvlm::clients
