#include <fmt/format.h>

#include "fastvlm/base/try.h"
#include "fastvlm/cli/print.h"
#include "fastvlm/cli/print_compiled.h"
#include "fastvlm/cli/verbs.h"
#include "fastvlm/compile/compile_output.h"
#include "fastvlm/process/process.h"

namespace fastvlm::cli {

namespace {

struct CompileArguments {
  Path output_dir;
  std::vector<std::string> targets;
  unsigned jobs = 0;
  bool no_cache = false;
  Path sdk;
  std::string shard = "1/1";
};

void add_options(OptionTable& options, CompileArguments& a, CommonArguments& common) {
  options.path("--output-dir", a.output_dir, "Folder written by export").complete(Completes::kFolder).set_required();
  options.list("--target", a.targets, "CHIP,CHIP", "Chips, such as sm8750, \"8 Elite\" or \"Galaxy S25\"; help: all names")
      .complete(Completes::kChip)
      .set_required();
  options.value("--jobs", a.jobs, "N", "Contexts compiled at a time; default: as many as memory allows");
  options.path("--sdk", a.sdk, "Compile with the tools of this QAIRT SDK instead of the plug-in; writes no ONNX wrappers")
      .complete(Completes::kFolder);
  options.flag("--no-cache", a.no_cache, "Compile again what an earlier run has compiled");
  options.value("--shard", a.shard, "I/N", "Only this part of the contexts, into the cache; compile without it puts them together");
  add_json(options, common);
  add_runtime_options(options, common);
}

ExitCode run(const CompileArguments& arguments, const CommonArguments& common) {
  auto progress = make_progress(common.quiet || common.json);
  TRY_ASSIGN(const Shard shard, parse_shard(arguments.shard));
  const CompileOptions options{.output_dir = arguments.output_dir,
                               .targets = arguments.targets,
                               .runtimes = common.runtimes,
                               .program = own_executable(),
                               .cache_folder = arguments.no_cache ? Path() : common.runtimes.cache_folder,
                               .jobs = arguments.jobs,
                               .sdk = arguments.sdk};
  TRY_ASSIGN(const auto compiled, shard.is_whole() ? compile_output(options, *progress) : compile_shard(options, shard, *progress));
  print_compiled(compiled, common.json);
  return 0;
}

}  // namespace

Verb compile_verb(CommonArguments& common) {
  return make_verb<CompileArguments>(
      {.name = "compile",
       .group = kConvertGroup,
       .summary = "Compile the static graphs of an output folder for further chips",
       .details = "The folder must have been exported with --target. Needs ONNX Runtime and its QNN plug-in (see doctor).\n"
                  "--shard 2/7 compiles a seventh of all contexts into the cache (--cache) and leaves the folder as it is; when all\n"
                  "parts are there, on one disk or copied together, compile without it takes them from the cache.",
       .examples = "  fastvlm-npu compile --output-dir out --target sm8650"},
      common, add_options, run);
}

}  // namespace fastvlm::cli
