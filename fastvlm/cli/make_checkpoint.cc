#include <fmt/format.h>

#include "fastvlm/base/try.h"
#include "fastvlm/cli/print.h"
#include "fastvlm/cli/verbs.h"
#include "fastvlm/synthetic/outlier_copy.h"

namespace fastvlm::cli {
namespace {

struct MakeCheckpointArguments {
  std::string size;
  std::string dialect;
  Path model_dir;
  Path output_dir;
  std::uint64_t seed = 0;
  bool outliers = false;
  bool force = false;
};

void add_options(OptionTable& options, MakeCheckpointArguments& a, CommonArguments& common) {
  options.choice("--size", a.size, {"tiny", "0.5b", "1.5b", "7b"}, "Shapes of which model");
  options.choice("--dialect", a.dialect, {"apple", "hf"}, "Names as Apple or as transformers writes them");
  options.path("--model-dir", a.model_dir, "Instead of drawing numbers: a checkpoint that gets --outliers").complete(Completes::kFolder);
  options.path("--output-dir", a.output_dir, "Folder to write; must be new or empty").complete(Completes::kFolder).set_required();
  options.value("--seed", a.seed, "N", "Of the random numbers").show_default();
  options.flag("--outliers", a.outliers,
               "Make a few channels 32 times as large, and those that read them smaller: the model computes the same");
  options.flag("--force", a.force, "Replace the folder when it is a FastVLM checkpoint");
  add_json(options, common);
}

Status check_arguments(const MakeCheckpointArguments& a) {
  if (a.model_dir.empty() && (a.size.empty() || a.dialect.empty()))
    return bad_usage("--{} is required", a.size.empty() ? "size" : "dialect");
  if (!a.model_dir.empty() && !(a.size.empty() && a.dialect.empty()))
    return bad_usage("--model-dir is a checkpoint with shapes and names of its own; leave out --size and --dialect");
  if (!a.model_dir.empty() && !a.outliers) return bad_usage("--model-dir is for --outliers; without them the checkpoint stays as it is");
  return {};
}

Result<MakeCheckpointReport> make(const MakeCheckpointArguments& a, Progress& progress) {
  if (!a.model_dir.empty())
    return copy_with_outliers({.model_dir = a.model_dir, .output_dir = a.output_dir, .seed = a.seed, .force = a.force}, progress);
  return make_checkpoint({.size = *checkpoint_size_from(a.size),
                          .dialect = *checkpoint_dialect_from(a.dialect),
                          .output_dir = a.output_dir,
                          .seed = a.seed,
                          .outliers = a.outliers,
                          .force = a.force},
                         progress);
}

ExitCode run(const MakeCheckpointArguments& arguments, const CommonArguments& common) {
  TRY(check_arguments(arguments));
  auto progress = make_progress(common.quiet || common.json);
  TRY_ASSIGN(const auto report, make(arguments, *progress));
  if (common.json) {
    print_json({{"output_dir", arguments.output_dir.string()},
                {"size", arguments.size.empty() ? Json() : Json(arguments.size)},
                {"dialect", arguments.dialect.empty() ? Json() : Json(arguments.dialect)},
                {"model_dir", arguments.model_dir.empty() ? Json() : Json(arguments.model_dir.string())},
                {"seed", arguments.seed},
                {"outliers", arguments.outliers},
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
       .details = "Same size, dialect and seed: same bytes. 0.5b takes 1.5 GB of disk, 1.5b 3.8 GB, 7b 15.6 GB.\n"
                  "With --outliers it computes the same with activations and weights such as trained models have: one channel in 64\n"
                  "behind norms, in keys, values and MLPs is 32 times as large. --model-dir gives them to a checkpoint that you have.",
       .examples = "  fastvlm-npu make-checkpoint --size tiny --dialect hf --output-dir /tmp/tiny"},
      common, add_options, run);
}

}  // namespace fastvlm::cli
