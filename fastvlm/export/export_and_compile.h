// What the verb export does, as one function: a checkpoint folder becomes an output folder with contexts for the chips.
#pragma once

#include "fastvlm/compile/compile_output.h"
#include "fastvlm/export/export.h"

namespace fastvlm {

struct FullExportOptions {
  ExportOptions graphs;    // its `npu` names the chips
  bool compile = true;     // false: the graphs of npu/ without contexts
  RuntimeSearch runtimes;  // of the compiler
  Path program;            // fastvlm-npu, for child processes
  Path cache_folder;       // of compiled contexts; empty: none
  unsigned jobs = 0;       // contexts compiled at a time; 0: as many as memory allows
};

struct FullExportReport {
  ExportReport graphs;
  double seconds = 0;                    // of writing the graphs and weights
  std::vector<CompiledTarget> contexts;  // one for each chip
};

// What can be said before the checkpoint is looked at: unknown chips, chips that cannot run the graphs, no compiler.
Status check_export_and_compile(const FullExportOptions& options);

// Without chips, or without `compile`, the same as run_export(). When compiling fails, the graphs are there and the Error says so.
Result<FullExportReport> export_and_compile(const FullExportOptions& options, Progress& progress);

}  // namespace fastvlm
