#include "fastvlm/verify/verify.h"

#include <fmt/format.h>

#include "fastvlm/base/try.h"
#include "fastvlm/cli/flags.h"
#include "fastvlm/cli/print.h"
#include "fastvlm/cli/runner_arguments.h"
#include "fastvlm/cli/verbs.h"
#include "fastvlm/clients/verify_layout.h"
#include "fastvlm/device/check_bundle.h"
#include "fastvlm/device/check_results.h"
#include "fastvlm/process/process.h"

namespace fastvlm::cli {
namespace {

struct VerifyArguments {
  Path output_dir;
  Path model_dir;  // empty: without the checkpoint
  Path base_model;
  Path reference;  // empty: without expected values
  std::string runner = "cpu";
  std::string target = "sm8750";
  std::string recipe;
  std::vector<std::string> layouts;
  Path bundle;  // in the place of output_dir
  Path device_results;
};

void add_options(OptionTable& options, VerifyArguments& a, CommonArguments& common) {
  options.path("--output-dir", a.output_dir, "Folder that export wrote").complete(Completes::kFolder);
  options.path("--bundle", a.bundle, "Folder that bundle made: its files, and with --device-results its self-test")
      .complete(Completes::kFolder)
      .excludes = "--output-dir";
  options.path("--device-results", a.device_results, "What the self-test wrote on a device").complete(Completes::kFolder).needs =
      "--bundle";
  options.path("--model-dir", a.model_dir, "Checkpoint it was exported from").complete(Completes::kFolder);
  options.path("--base-model", a.base_model, "Model that the adapter in --model-dir was merged into").complete(Completes::kFolder).needs =
      "--model-dir";
  options.path("--reference", a.reference, "safetensors file of expected values");
  add_runner_options(options, a.runner, a.target, "cpu: ONNX Runtime; htp: the NPU as well, emulated on x86");
  options.value("--recipe", a.recipe, "NAME", "Check the decoder graphs of this recipe only");
  Option& layout = options.list("--layout", a.layouts, "NAME,NAME",
                                "The folder is of `export --layout`: transformers-js, onnxruntime-genai, genie, npu");
  layout.excludes = "--reference";
  add_json(options, common);
  add_runtime_options(options, common);
}

Result<VerifyOptions> options_of(const VerifyArguments& a, const CommonArguments& common) {
  VerifyOptions options{.output_dir = a.output_dir, .recipe = a.recipe};
  if (!a.model_dir.empty()) options.model_dir = a.model_dir;
  options.base_model = a.base_model;
  if (!a.reference.empty()) options.reference = a.reference;
  TRY_ASSIGN(options.chip, chip_of(a.runner, a.target));
  TRY_ASSIGN(options.open_cpu, graph_opener(opener_options(a.output_dir, "", common)));
  if (!options.chip.empty()) {
    TRY_ASSIGN(options.open_npu, graph_opener(opener_options(a.output_dir, options.chip, common)));
  }
  return options;
}

// A damaged bundle is an Error: there is nothing to compare then.
Result<VerifyReport> verify_bundle(const VerifyArguments& arguments, const CommonArguments& common) {
  TRY_ASSIGN(const device::BundleManifest manifest, device::read_bundle(arguments.bundle));
  TRY(device::check_bundle(arguments.bundle, manifest, {.reading = {.program = own_executable(), .runtimes = common.runtimes}}));
  VerifyReport report;
  if (!arguments.device_results.empty()) {
    TRY_ASSIGN(report, device::check_results({.bundle = arguments.bundle, .results = arguments.device_results, .gates = {}}));
  }
  report.rows.insert(report.rows.begin(), {.check = "files",
                                           .subject = device::kBundleFile,
                                           .sentence = fmt::format("{} files as they were made, contexts of QAIRT {} for {}",
                                                                   manifest.files.size(), manifest.compiler, manifest.chip)});
  return report;
}

Result<VerifyReport> report_of(const VerifyArguments& arguments, const CommonArguments& common) {
  if (!arguments.layouts.empty())
    return clients::verify_layouts(arguments.output_dir, arguments.layouts,
                                   {.program = own_executable(), .runtimes = common.runtimes, .context = {}});
  TRY_ASSIGN(const VerifyOptions options, options_of(arguments, common));
  auto progress = make_progress(common.quiet || common.json);
  return verify(options, *progress);
}

// Options of the comparison with the model, which is not made for a bundle and not for a layout.
Status check_unused(const VerifyArguments& a) {
  if (a.bundle.empty() && a.layouts.empty()) return {};
  const VerifyArguments left_out;
  const char* instead = !a.bundle.empty() ? "--bundle" : "--layout";
  const std::pair<const char*, bool> given[] = {
      {"--model-dir", !a.model_dir.empty()},     {"--reference", !a.reference.empty()},
      {"--runner", a.runner != left_out.runner}, {"--target", a.target != left_out.target},
      {"--recipe", !a.recipe.empty()},           {"--layout", !a.bundle.empty() && !a.layouts.empty()}};
  for (const auto& [option, is_given] : given)
    if (is_given) return bad_usage("{} is not looked at with {}; leave one of them out", option, instead);
  return {};
}

ExitCode run(const VerifyArguments& arguments, const CommonArguments& common) {
  if (arguments.output_dir.empty() && arguments.bundle.empty()) return bad_usage("--output-dir is required, or --bundle");
  TRY(check_unused(arguments));
  TRY_ASSIGN(auto report, arguments.bundle.empty() ? report_of(arguments, common) : verify_bundle(arguments, common));
  for (VerifyRow& row : report.rows) row.sentence = with_flags(row.sentence);
  if (common.json) {
    print_json(to_json(report));
  } else {
    print_table(to_table(report));
    print_line(fmt::format("\n{}: {} ok, {} missed, {} not compared",
                           (arguments.bundle.empty() ? arguments.output_dir : arguments.bundle).string(), report.count(Outcome::kPassed),
                           report.count(Outcome::kMissed), report.count(Outcome::kNotCompared)));
  }
  return report.passed() ? 0 : static_cast<int>(ErrorKind::kCheckFailed);
}

}  // namespace

Verb verify_verb(CommonArguments& common) {
  return make_verb<VerifyArguments>(
      {.name = "verify",
       .group = kProveGroup,
       .summary = "Prove that an output folder is whole and computes what the model computes",
       .details = "Looks at the hashes of the manifest, at every graph, runs the graphs on the CPU and compares the static ones under\n"
                  "npu/ with the plain ones. --reference adds a file of expected values, --model-dir the checkpoint's weights,\n"
                  "--runner htp the NPU (emulated on x86) against the CPU; a miss is followed by the first tensor that departs.\n"
                  "--layout looks at a folder for another program instead: files, inputs and outputs, external data, token ids.\n"
                  "--bundle checks a folder made by bundle, with --device-results also what its self-test wrote on a device.\n"
                  "Exit code 1 when anything misses its gate.",
       .examples = "  fastvlm-npu verify --output-dir out\n"
                   "  fastvlm-npu verify --output-dir out --model-dir checkpoint --reference expected.safetensors\n"
                   "  fastvlm-npu verify --output-dir out --runner htp --target sm8750 --json\n"
                   "  fastvlm-npu verify --output-dir web --layout transformers-js\n"
                   "  fastvlm-npu verify --bundle phone --device-results results"},
      common, add_options, run);
}

}  // namespace fastvlm::cli
