#include "fastvlm/verify/verify.h"

#include "fastvlm/base/try.h"
#include "fastvlm/checkpoint/safetensors.h"

#include "fastvlm/base/interrupt.h"
#include "fastvlm/bundle/manifest.h"

namespace fastvlm {

Result<VerifyReport> verify(const VerifyOptions& options, Progress& progress) {
  TRY_ASSIGN(OutputFolder folder, open_output_folder(options.output_dir));
  VerifyReport report;
  const CheckContext context{folder, options.open_cpu, report};
  auto stage = [&](const char* name, auto check) -> Status {
    TRY(check_interrupt());
    progress.start(name, 0);
    if (Status status = check(); !status.ok()) return report.fail(name, kManifestFile, std::move(status).error());
    return {};
  };
  TRY(stage("files", [&] { return check_files(folder, report); }));
  TRY(stage("graph", [&] { return check_graphs(folder, report); }));
  if (options.model_dir) TRY(stage("checkpoint", [&] { return check_checkpoint(folder, *options.model_dir, report); }));
  if (options.open_cpu) {
    TRY(stage("run", [&] { return check_runs(context); }));
    TRY(stage("forms", [&] { return check_forms(context); }));
    if (options.reference) TRY(stage("golden", [&] { return check_golden(context, *options.reference); }));
    if (options.open_npu) {
      NpuComparison npu{.open_reference = options.open_cpu, .open_candidate = options.open_npu, .gates = options.gates};
      if (options.reference) {
        TRY_ASSIGN(npu.examples, read_safetensors(*options.reference));
      }
      TRY(stage("npu", [&] { return compare_npu_graphs(folder, npu, report); }));
    }
  } else {
    report.skip("run", kManifestFile, "not compared: no graph was run");
  }
  return report;
}

}  // namespace fastvlm
