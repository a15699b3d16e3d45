#include "fastvlm/export/export_and_compile.h"

#include <chrono>

#include "fastvlm/base/try.h"
#include "fastvlm/export/prepare_integers.h"

namespace fastvlm {
namespace {

CompileOptions compile_options(const FullExportOptions& options) {
  return {.output_dir = options.graphs.output_dir,
          .targets = options.graphs.npu->targets,
          .runtimes = options.runtimes,
          .program = options.program,
          .cache_folder = options.cache_folder,
          .jobs = options.jobs,
          .known_targets = options.graphs.npu->known_targets};
}

}  // namespace

Status check_export_and_compile(const FullExportOptions& options) {
  if (!options.graphs.npu) return {};
  TRY(check_recipe_precisions(*options.graphs.npu));
  return options.compile ? check_compile(compile_options(options)) : Status();
}

Result<FullExportReport> export_and_compile(const FullExportOptions& options, Progress& progress) {
  TRY(check_export_and_compile(options));
  FullExportReport report;
  const auto begin = std::chrono::steady_clock::now();
  ExportOptions graphs = options.graphs;
  graphs.must_run = true;
  TRY_ASSIGN(report.graphs, run_export(graphs, progress));
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (!options.graphs.npu || !options.compile) return report;
  auto contexts = compile_output(compile_options(options), progress);
  if (!contexts.ok()) return std::move(contexts).error().within("the graphs are written, but not compiled");
  report.contexts = *std::move(contexts);
  return report;
}

}  // namespace fastvlm
