#include "fastvlm/verify/verify.h"

#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/try.h"
#include "fastvlm/bundle/manifest.h"
#include "fastvlm/checkpoint/safetensors.h"

namespace fastvlm {
namespace {

// The target that the static graphs were made for: that of the chip in question, else of a chip that they were compiled for.
Result<const Target*> target_of(const VerifyOptions& options, const OutputFolder& folder) {
  if (!options.chip.empty()) {
    TRY_ASSIGN(const ChosenChip chosen, find_chip(options.known_targets, options.chip));
    return chosen.target;
  }
  for (const TargetEntry& compiled : folder.manifest.targets)
    if (auto chosen = find_chip(options.known_targets, compiled.chip); chosen.ok()) return chosen->target;
  if (options.known_targets.empty()) return bad_usage("no target is known");
  return options.known_targets[0];
}

}  // namespace

Result<VerifyReport> verify(const VerifyOptions& options, Progress& progress) {
  TRY_ASSIGN(OutputFolder folder, open_output_folder(options.output_dir));
  if (!options.recipe.empty()) {
    TRY_ASSIGN(folder, with_recipe(std::move(folder), options.recipe));
  }
  TRY_ASSIGN(const Target* target, target_of(options, folder));
  VerifyReport report;
  const CheckContext context{folder, options.open_cpu, report};
  auto stage = [&](const char* name, auto check) -> Status {
    TRY(check_interrupt());
    progress.start(name, 0);
    if (Status status = check(); !status.ok()) return report.fail(name, kManifestFile, std::move(status).error());
    return {};
  };
  TRY(stage("files", [&] { return check_files(folder, report); }));
  TRY(stage("graph", [&] { return check_graphs(folder, *target, report); }));
  TRY(stage("tokenizer", [&] { return check_tokenizer(folder, report); }));
  if (options.model_dir) TRY(stage("checkpoint", [&] { return check_checkpoint(folder, *options.model_dir, options.base_model, report); }));
  if (options.open_cpu) {
    TRY(stage("run", [&] { return check_runs(context); }));
    TRY(stage("forms", [&] { return check_forms(context); }));
    if (options.reference) {
      TRY(stage("golden", [&] { return check_golden(context, *options.reference); }));
      if (!report.compared("golden"))
        report.miss("golden", options.reference->filename().string(), "none of its values could be compared with this folder");
    }
    if (options.open_npu) {
      NpuComparison npu{.open_reference = options.open_cpu, .open_candidate = options.open_npu, .target = target, .gates = options.gates};
      if (options.reference) {
        TRY_ASSIGN(npu.examples, read_safetensors(*options.reference));
      }
      TRY(stage("npu", [&] { return compare_npu_graphs(folder, npu, report); }));
      if (!report.compared("npu"))
        report.miss("npu", kManifestFile,
                    "nothing ran on the NPU, because the folder holds no static graphs; export it again with `targets`");
    }
  } else {
    report.skip("run", kManifestFile, "not compared: no graph was run");
  }
  return report;
}

}  // namespace fastvlm
