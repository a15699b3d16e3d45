#include <fmt/format.h>

#include "fastvlm/base/try.h"
#include "fastvlm/cli/print.h"
#include "fastvlm/cli/runner_arguments.h"
#include "fastvlm/cli/verbs.h"
#include "fastvlm/device/run_selftest.h"
#include "fastvlm/process/process.h"

namespace fastvlm::cli {
namespace {

struct SelfTestArguments {
  Path bundle;
  Path results;
  bool no_hash = false;
  bool force = false;
};

void add_options(OptionTable& options, SelfTestArguments& a, CommonArguments& common) {
  options.path("--bundle", a.bundle, "Folder made by bundle").complete(Completes::kFolder).set_required();
  options.path("--results", a.results, "Folder for the raw outputs").complete(Completes::kFolder).set_required();
  options.flag("--no-hash", a.no_hash, "Compare sizes of the files only, not their hashes");
  options.flag("--force", a.force, "Replace results that are there");
  add_json(options, common);
  add_runtime_options(options, common);
}

ExitCode run(const SelfTestArguments& a, const CommonArguments& common) {
  TRY_ASSIGN(const device::BundleManifest manifest, device::read_bundle(a.bundle));
  TRY(device::check_runs_graphs(a.bundle, manifest));
  TRY_ASSIGN(const std::string chip, chip_of("htp", manifest.chip));
  device::SelfTestRun run{.bundle = a.bundle,
                          .results = a.results,
                          .check = {.reading = {.program = own_executable(), .runtimes = common.runtimes}, .hashes = !a.no_hash},
                          .runtime = "ONNX Runtime",
                          .force = a.force};
  TRY_ASSIGN(run.open, graph_opener(opener_options(a.bundle, chip, common)));
  auto progress = make_progress(common.quiet || common.json);
  TRY_ASSIGN(const device::SelfTestReport report, device::run_selftest(run, *progress));
  if (common.json) {
    print_json({{"results", a.results.string()},
                {"chip", report.chip},
                {"runs", report.runs},
                {"probes", report.probes},
                {"answers", report.answers},
                {"seconds", report.seconds}});
  } else {
    print_line(fmt::format("{}: {} runs, {} with probes, {} answers in {:.1f} s", a.results.string(), report.runs, report.probes,
                           report.answers, report.seconds));
    print_line(fmt::format("next, on the host: fastvlm-npu verify --bundle BUNDLE --device-results {}", a.results.string()));
  }
  return 0;
}

}  // namespace

Verb selftest_verb(CommonArguments& common) {
  return make_verb<SelfTestArguments>(
      {.name = "selftest",
       .group = kProveGroup,
       .summary = "Run the self-test of a bundle on the NPU and write what comes out",
       .details = "On a machine with the NPU its contexts are opened as they are; on x86 they run in Qualcomm's emulation, for which the\n"
                  "bundle must have been made with --unshared. verify --device-results says whether the numbers are right.",
       .examples = "  fastvlm-npu selftest --bundle phone --results results"},
      common, add_options, run);
}

}  // namespace fastvlm::cli
