// export --layout: a checkpoint becomes a folder that programs of other people open unchanged.
#pragma once

#include <string>
#include <vector>

#include "fastvlm/clients/layout.h"

namespace fastvlm::clients {

struct LayoutExportOptions {
  ExportOptions model;                           // npu: of layouts with contexts; dtype stays float32, `variants` say the numbers
  std::vector<std::string> layouts;              // rows of layouts()
  std::vector<std::string> variants = {"fp32"};  // rows of variants()
  // Of layouts with contexts.
  bool share_weights = true;  // false: each graph in a context of its own, which x86 can load, too
  RuntimeSearch runtimes;     // of the compiler
  Path program;               // fastvlm-npu, for child processes
  Path cache_folder;          // of compiled contexts; empty: none
  unsigned jobs = 0;          // contexts compiled at a time; 0: as many as memory allows
};

// What can be said before the checkpoint is looked at: unknown names, a chip too many or too few, no compiler.
Status check_layouts(const LayoutExportOptions& options);

// Every file but layouts.json, which holds hashes of what is written.
Result<std::vector<PlannedFile>> plan_layouts(const LayoutExportOptions& options);

// Writes the folder, whole or not at all. Memory is bounded as in run_export().
Result<ExportReport> export_layouts(const LayoutExportOptions& options, Progress& progress);

}  // namespace fastvlm::clients
