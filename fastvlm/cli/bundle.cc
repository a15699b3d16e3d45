#include <fmt/format.h>

#include "fastvlm/base/try.h"
#include "fastvlm/cli/print.h"
#include "fastvlm/cli/runner_arguments.h"
#include "fastvlm/cli/verbs.h"
#include "fastvlm/device/make_bundle.h"
#include "fastvlm/process/process.h"

namespace fastvlm::cli {
namespace {

struct BundleArguments {
  Path output_dir;
  Path to;
  std::string target;
  std::string runtime = device::kOnnxRuntime;
  std::string recipe;
  std::vector<std::string> pictures;
  std::string question = device::BundleOptions().question;
  bool unshared = false;
  bool probe = false;
  bool no_cache = false;
  bool force = false;
  bool dry_run = false;
};

void add_options(OptionTable& options, BundleArguments& a, CommonArguments& common) {
  options.path("--output-dir", a.output_dir, "Folder written by export, compiled for the chip").complete(Completes::kFolder).set_required();
  options.value("--target", a.target, "CHIP", "Chip of the machine, such as sm8750, \"8 Elite\" or \"Galaxy S25\"; help: all names")
      .complete(Completes::kChip)
      .set_required();
  options.path("--to", a.to, "Folder to make").complete(Completes::kFolder).set_required();
  options.choice("--runtime", a.runtime, {device::kOnnxRuntime, device::kGenie}, "What opens the contexts on the machine").show_default();
  options.value("--recipe", a.recipe, "NAME", "Decoder to take, of those exported; default: fp16, or else the first");
  options.flag("--unshared", a.unshared,
               "A context for each graph: larger, and it can be tried here, as the emulation on x86 opens no shared ones");
  options.flag("--probe", a.probe, "Also contexts that give the output of every layer, so that verify can name the first wrong tensor");
  options.list("--picture", a.pictures, "FILE,FILE", "Pictures of the self-test; default: two that are made up").complete(Completes::kPath);
  options.value("--question", a.question, "TEXT", "Question of the self-test").show_default();
  options.flag("--no-cache", a.no_cache, "Compile again what an earlier run has compiled");
  options.flag("--force", a.force, "Replace a bundle that is there");
  options.flag("--dry-run", a.dry_run, "Show what the folder would hold; writes nothing");
  add_json(options, common);
  add_runtime_options(options, common);
}

Result<device::BundleOptions> options_of(const BundleArguments& a, const CommonArguments& common) {
  device::BundleOptions options{.output_dir = a.output_dir,
                                .bundle_dir = a.to,
                                .target = a.target,
                                .runtime = a.runtime,
                                .recipe = a.recipe,
                                .unshared = a.unshared,
                                .probe = a.probe,
                                .pictures = {a.pictures.begin(), a.pictures.end()},
                                .question = a.question,
                                .force = a.force,
                                .runtimes = common.runtimes,
                                .program = own_executable(),
                                .cache_folder = a.no_cache ? Path() : common.runtimes.cache_folder};
  if (!a.dry_run) {
    TRY_ASSIGN(options.open_cpu, graph_opener(opener_options(a.output_dir, "", common)));
  }
  return options;
}

void print_plan(const device::BundlePlan& plan, const device::BundleOptions& options, bool json) {
  if (json) return print_json(device::plan_json(plan, options));
  std::vector<std::vector<std::string>> rows = {{"file", "bytes", "made"}};
  for (const device::PlannedFile& file : plan.files)
    rows.push_back({file.name, (file.about ? "about " : "") + std::to_string(file.bytes), file.made});
  print_table(rows);
  print_line(fmt::format("\n{} for {} in all, and {}, scripts and a page; contexts to compile: {}", human_bytes(plan.total_bytes()),
                         plan.chip.chip->name, device::kBundleFile, plan.to_compile.size()));
}

void print_report(const BundleArguments& a, const device::BundleReport& report, bool json) {
  const device::BundleManifest& m = report.manifest;
  if (json) {
    OrderedJson files = OrderedJson::array();
    for (const auto& [name, file] : m.files) files.push_back({{"name", name}, {"bytes", file.bytes}});
    return print_json({{"bundle", a.to.string()},
                       {"target", m.chip},
                       {"runtime", m.runtime},
                       {"recipe", m.recipe},
                       {"compiled_with", m.compiler},
                       {"total_bytes", report.bytes},
                       {"files", files}});
  }
  std::vector<std::vector<std::string>> rows = {{"context", "size", "graphs"}};
  for (const device::BundleContext& context : m.contexts) {
    std::string graphs;
    for (const std::string& graph : context.graphs) graphs += (graphs.empty() ? "" : ", ") + graph;
    rows.push_back({context.binary, human_bytes(m.files.at(context.binary).bytes), graphs});
  }
  print_table(rows);
  print_line(fmt::format("\n{}: {} files, {} for {}, compiled with QAIRT {}", a.to.string(), m.files.size() + 1, human_bytes(report.bytes),
                         m.chip, m.compiler));
  print_line(fmt::format("next: {}/push.sh --dry-run --ssh USER@HOST, and {}/README.md", a.to.string(), a.to.string()));
}

ExitCode run(const BundleArguments& a, const CommonArguments& common) {
  TRY_ASSIGN(const device::BundleOptions options, options_of(a, common));
  if (a.dry_run) {
    TRY_ASSIGN(const device::BundlePlan plan, device::plan_bundle(options));
    print_plan(plan, options, common.json);
    return 0;
  }
  auto progress = make_progress(common.quiet || common.json);
  TRY_ASSIGN(const device::BundleReport report, device::make_bundle(options, *progress));
  print_report(a, report, common.json);
  return 0;
}

}  // namespace

Verb bundle_verb(CommonArguments& common) {
  return make_verb<BundleArguments>(
      {.name = "bundle",
       .group = kConvertGroup,
       .summary = "Make a folder with just what one machine needs, a self-test and scripts that bring it there",
       .details =
           "Contexts, their ONNX wrappers, embedding table, tokenizer and settings are linked or copied; the self-test is made on the\n"
           "CPU. For Genie the graph of the pictures is compiled anew, with 16-bit pixels. Nothing of a vendor's is in the folder: "
           "push.sh\n"
           "fetches the runtime or takes it out of your SDK. Nothing here was tried on hardware.",
       .examples = "  fastvlm-npu bundle --output-dir out --target sm8750 --to phone --dry-run\n"
                   "  fastvlm-npu bundle --output-dir out --target sm8750 --to phone --probe\n"
                   "  fastvlm-npu bundle --output-dir out --target sm8750 --to phone --runtime genie"},
      common, add_options, run);
}

}  // namespace fastvlm::cli
