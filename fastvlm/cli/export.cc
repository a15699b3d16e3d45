#include "fastvlm/export/export_and_compile.h"

#include <fmt/format.h>

#include <chrono>

#include "fastvlm/base/try.h"
#include "fastvlm/bundle/manifest_json.h"
#include "fastvlm/cli/export_arguments.h"
#include "fastvlm/cli/print.h"
#include "fastvlm/cli/print_compiled.h"
#include "fastvlm/cli/print_recipes.h"
#include "fastvlm/cli/verbs.h"
#include "fastvlm/clients/export_layouts.h"
#include "fastvlm/process/process.h"
#include "fastvlm/targets/registry.h"

namespace fastvlm::cli {
namespace {

void add_options(OptionTable& options, ExportArguments& a, CommonArguments& common) {
  add_export_options(options, a, common, /*plan=*/false);
}

std::string known_chips() {
  std::string names;
  for (const std::string& name : chip_names(known_targets())) names += (names.empty() ? "" : ", ") + name;
  return names;
}

ExitCode run_layouts(const ExportArguments& arguments, const CommonArguments& common) {
  if (!arguments.npu.compile) return bad_usage("--no-compile: a layout for a chip is made of contexts");
  TRY_ASSIGN(clients::LayoutExportOptions options, layout_options(arguments, common));
  TRY(clients::check_layouts(options));
  TRY(add_ranges(options.model, arguments, common, RangesUse::kExport));
  auto progress = make_progress(common.quiet || common.json);
  const auto begin = std::chrono::steady_clock::now();
  TRY_ASSIGN(const ExportReport report, clients::export_layouts(options, *progress));
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (common.json) {
    print_json({{"output_dir", arguments.output_dir.string()},
                {"bytes", report.bytes},
                {"seconds", seconds},
                {"files", to_json(report.files)},
                {"findings", report.findings}});
    return 0;
  }
  print_findings(report.findings);
  print_line(
      fmt::format("{}: {} files, {}, {:.1f} s", arguments.output_dir.string(), report.files.size(), human_bytes(report.bytes), seconds));
  return 0;
}

ExitCode run(const ExportArguments& arguments, const CommonArguments& common) {
  if (!arguments.layouts.empty()) return run_layouts(arguments, common);
  FullExportOptions options{.compile = arguments.npu.compile,
                            .runtimes = common.runtimes,
                            .program = own_executable(),
                            .cache_folder = common.runtimes.cache_folder,
                            .jobs = arguments.npu.jobs};
  TRY_ASSIGN(options.graphs, export_options(arguments, common));
  if (Status possible = check_export_and_compile(options); !possible.ok()) {
    if (possible.error().kind != ErrorKind::kEnvironment) return std::move(possible).error();
    return std::move(possible).error().within("--target (--no-compile writes the graphs alone)");
  }
  TRY(add_ranges(options.graphs, arguments, common, RangesUse::kExport));
  auto progress = make_progress(common.quiet || common.json);
  TRY_ASSIGN(const auto full, export_and_compile(options, *progress));
  const ExportReport& report = full.graphs;
  TRY_ASSIGN(const OrderedJson sizes, recipe_sizes_json(arguments.output_dir));
  if (common.json) {
    print_json({{"output_dir", arguments.output_dir.string()},
                {"bytes", report.bytes},
                {"seconds", full.seconds},
                {"files", to_json(report.files)},
                {"reused_bytes", report.reused},
                {"findings", report.findings},
                {"recipes", sizes},
                {"contexts", compiled_json(full.contexts)}});
    return 0;
  }
  print_findings(report.findings);
  print_line(fmt::format("{}: {} files, {}, {:.1f} s", arguments.output_dir.string(), report.files.size() + 1, human_bytes(report.bytes),
                         full.seconds));
  if (!arguments.reuse.empty())
    print_line(fmt::format("{} of these are those of {}", human_bytes(report.reused), arguments.reuse.string()));
  print_recipe_sizes(sizes, arguments.output_dir);
  if (!full.contexts.empty()) print_compiled(full.contexts, false);
  return 0;
}

}  // namespace

Verb export_verb(CommonArguments& common) {
  return make_verb<ExportArguments>(
      {.name = "export",
       .group = kConvertGroup,
       .summary = "Turn a checkpoint into ONNX graphs, tables and NPU contexts",
       .details = "Writes the ONNX graphs, embedding tables, tokenizer and a manifest. With --target also npu/: static graphs\n"
                  "and, unless --no-compile is given, a context binary for each chip. The folder appears whole or not at all.\n"
                  "Chips: " +
                  known_chips(),
       .examples = "  fastvlm-npu export --model-dir FastVLM-0.5B --output-dir out\n"
                   "  fastvlm-npu export --model-dir FastVLM-0.5B --output-dir out --target sm8750 --image-sizes 512,1024"},
      common, add_options, run);
}

}  // namespace fastvlm::cli
