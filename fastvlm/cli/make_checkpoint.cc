#include "fastvlm/synthetic/checkpoint.h"

#include <fmt/format.h>

#include "fastvlm/base/try.h"
#include "fastvlm/cli/print.h"
#include "fastvlm/cli/verbs.h"

namespace fastvlm::cli {
namespace {

struct MakeCheckpointArguments {
  std::string size = "tiny";
  std::string dialect = "apple";
  Path output_dir;
  std::uint64_t seed = 0;
  bool force = false;
};

void add_options(OptionTable& options, MakeCheckpointArguments& a, CommonArguments& common) {
  options.choice("--size", a.size, {"tiny", "0.5b", "1.5b", "7b"}, "Shapes of which model").set_required();
  options.choice("--dialect", a.dialect, {"apple", "hf"}, "Names as Apple or as transformers writes them").set_required();
  options.path("--output-dir", a.output_dir, "Folder to write; must be new or empty").complete(Completes::kFolder).set_required();
  options.value("--seed", a.seed, "N", "Of the random numbers").show_default();
  options.flag("--force", a.force, "Replace the folder when it is a FastVLM checkpoint");
  add_json(options, common);
}

ExitCode run(const MakeCheckpointArguments& arguments, const CommonArguments& common) {
  const auto size = checkpoint_size_from(arguments.size);
  const auto dialect = checkpoint_dialect_from(arguments.dialect);
  if (!size) return bad_option("size", "{}: must be tiny, 0.5b, 1.5b or 7b", arguments.size);
  if (!dialect) return bad_option("dialect", "{}: must be apple or hf", arguments.dialect);
  auto progress = make_progress(common.quiet || common.json);
  TRY_ASSIGN(const auto report,
             make_checkpoint(
                 {.size = *size, .dialect = *dialect, .output_dir = arguments.output_dir, .seed = arguments.seed, .force = arguments.force},
                 *progress));
  if (common.json) {
    print_json({{"output_dir", arguments.output_dir.string()},
                {"size", arguments.size},
                {"dialect", arguments.dialect},
                {"seed", arguments.seed},
                {"files", report.files},
                {"bytes", report.bytes},
                {"tensors", report.tensors},
                {"parameters", report.parameters}});
    return 0;
  }
  print_line(fmt::format("{}: {} files, {}, {} tensors with {} parameters", arguments.output_dir.string(), report.files,
                         human_bytes(report.bytes), report.tensors, grouped(report.parameters)));
  return 0;
}

}  // namespace

Verb make_checkpoint_verb(CommonArguments& common) {
  return make_verb<MakeCheckpointArguments>(
      {.name = "make-checkpoint",
       .group = kToolsGroup,
       .summary = "Write a checkpoint with random weights in real shapes, to try things out",
       .details = "Same size, dialect and seed: same bytes. 0.5b takes 1.5 GB of disk, 1.5b 3.8 GB, 7b 15.6 GB.",
       .examples = "  fastvlm-npu make-checkpoint --size tiny --dialect hf --output-dir /tmp/tiny"},
      common, add_options, run);
}

}  // namespace fastvlm::cli
