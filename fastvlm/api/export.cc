#include "fastvlm/api/export.h"

#include "fastvlm/api/bridge.h"
#include "fastvlm/base/try.h"
#include "fastvlm/export/export_and_compile.h"
#include "fastvlm/quant/recipe.h"

namespace fastvlm::api {
namespace {

Result<fastvlm::NpuOptions> options_of(const NpuOptions& npu) {
  fastvlm::NpuOptions options{.targets = npu.targets,
                              .image_sizes = npu.image_sizes,
                              .prefill = npu.prefill,
                              .context = npu.context,
                              .prefill_logits = npu.prefill_logits,
                              .io_dtype = npu.float16_io ? Dtype::kFloat16 : Dtype::kFloat32,
                              .part_limit_bytes = npu.part_limit_bytes};
  options.recipes.clear();
  for (const std::string& name : npu.recipes) {
    TRY_ASSIGN(options.recipes.emplace_back(), find_recipe(name));
  }
  for (const FusedExtents& extents : npu.fused)
    options.fused.push_back({.vision_tokens = extents.vision_tokens, .text_tokens = extents.text_tokens});
  return options;
}

Result<fastvlm::ExportOptions> options_of(const ExportOptions& options, unsigned threads) {
  fastvlm::ExportOptions own{.model_dir = options.model_dir,
                             .output_dir = options.output_dir,
                             .base_model = options.base_model,
                             .image_size = options.image_size,
                             .dtype = options.float16 ? Dtype::kFloat16 : Dtype::kFloat32,
                             .force = options.force,
                             .refuse_not_finite = options.refuse_not_finite,
                             .threads = threads};
  if (options.npu) {
    TRY_ASSIGN(own.npu, options_of(*options.npu));
  }
  return own;
}

Result<ExportReport> run(const ExportOptions& options, const Work& work) {
  FullExportOptions full{
      .compile = options.npu && options.npu->compile, .runtimes = search_of(options.runtimes), .program = program_of(options.runtimes)};
  TRY_ASSIGN(full.graphs, options_of(options, work.threads));
  full.cache_folder = full.runtimes.cache_folder;
  if (options.npu) full.jobs = options.npu->jobs;
  const StopScope stop(work.stop);
  Progress progress(listener_of(work));
  TRY_ASSIGN(const auto done, export_and_compile(full, progress));
  const auto& written = done.graphs;
  ExportReport report{.bytes = written.bytes, .findings = written.findings};
  for (const auto& [name, file] : written.files) report.files.push_back({.name = name, .bytes = file.bytes, .sha256 = file.sha256});
  return report;
}

Result<Plan> plan_of(const ExportOptions& options) {
  TRY_ASSIGN(const fastvlm::ExportOptions own, options_of(options, 0));
  TRY_ASSIGN(const auto prepared, prepare_export(own));
  Plan plan{.image_size = prepared->image_size, .peak_memory_bytes = planned_peak_memory(*prepared), .findings = prepared->findings};
  for (const fastvlm::PlannedFile& file : planned_files(*prepared)) {
    plan.files.push_back({.name = file.name, .bytes = file.bytes});
    plan.total_bytes += file.bytes;
  }
  return plan;
}

}  // namespace

Result<ExportReport> export_checkpoint(const ExportOptions& options) { return export_checkpoint(options, {}); }

Result<ExportReport> export_checkpoint(const ExportOptions& options, const Work& work) {
  return without_exceptions<ExportReport>([&] { return run(options, work); });
}

Result<Plan> plan_export(const ExportOptions& options) {
  return without_exceptions<Plan>([&] { return plan_of(options); });
}

}  // namespace fastvlm::api
