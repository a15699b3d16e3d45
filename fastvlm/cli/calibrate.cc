#include "fastvlm/export/calibrate_checkpoint.h"

#include <fmt/format.h>

#include "fastvlm/base/try.h"
#include "fastvlm/cli/export_arguments.h"
#include "fastvlm/cli/print.h"
#include "fastvlm/cli/verbs.h"

namespace fastvlm::cli {
namespace {

struct CalibrateArguments {
  Path model_dir;
  Path base_model;
  Path images;
  Path prompts;
  Path output;
  std::optional<std::int64_t> image_size;
  std::string target = "sm8750";
  std::int64_t reply_tokens = CheckpointCalibration().reply_tokens;
  std::uint64_t max_pixels = ImageDecodeOptions().max_pixels;
  bool channels = false;
  bool merge = false;
  std::string shard = "1/1";
};

void add_options(OptionTable& options, CalibrateArguments& a, CommonArguments& common) {
  options.path("--model-dir", a.model_dir, "Checkpoint folder").complete(Completes::kFolder).set_required();
  options.path("--base-model", a.base_model, "Model that a LoRA adapter in --model-dir is merged into").complete(Completes::kFolder);
  options.path("--images", a.images, "Folder of pictures such as the model will see").complete(Completes::kFolder).set_required();
  options.path("--prompts", a.prompts, "Questions, one a line, asked in turn; default: six general ones");
  options.path("--output", a.output, "File of ranges to write, such as ranges.fvc").set_required();
  options.value("--image-size", a.image_size, "N", "Picture side in pixels; default: the checkpoint's own");
  options.value("--target", a.target, "CHIP", "Chip whose form of the graphs is measured").complete(Completes::kChip).show_default();
  options.value("--reply-tokens", a.reply_tokens, "N", "Tokens of each answer that are measured, at most").show_default().refuse_negative();
  options.value("--max-pixels", a.max_pixels, "N", "Largest picture that is read").show_default();
  options.flag("--channels", a.channels, "Also the squares of each channel that linear layers and convolutions read");
  options.flag("--merge", a.merge, "Add to the ranges that --output holds, of the same model");
  options.value("--shard", a.shard, "I/N", "Only this part of the pictures, for `merge`");
  add_json(options, common);
  add_runtime_options(options, common);
}

Status check_output(const CalibrateArguments& a) {
  std::error_code failure;
  if (std::filesystem::is_directory(a.output, failure)) return bad_usage("--output {}: is a folder, expected a file", a.output.string());
  const Path parent = a.output.has_parent_path() ? a.output.parent_path() : Path(".");
  if (!std::filesystem::is_directory(parent, failure)) return bad_usage("--output {}: there is no such folder", a.output.string());
  return {};
}

// Of more shards than pictures, some have nothing to see. `merge` wants their files all the same.
std::vector<std::string> findings_of(const Ranges& ranges, const Shard& shard) {
  if (!ranges.values.empty()) return {};
  return {fmt::format("no picture falls to part {} of {}; its file is empty and serves `merge` alone", shard.index, shard.count)};
}

ExitCode run(const CalibrateArguments& a, const CommonArguments& common) {
  TRY(check_output(a));
  TRY_ASSIGN(const Shard shard, parse_shard(a.shard));
  std::optional<Ranges> earlier;
  if (a.merge && std::filesystem::exists(a.output)) {
    TRY_ASSIGN(earlier, read_ranges(a.output));
  }
  const Path kept = a.output.string() + ".so-far";
  auto progress = make_progress(common.quiet || common.json);
  TRY_ASSIGN(Ranges ranges, calibrate_checkpoint({.model_dir = a.model_dir,
                                                  .base_model = a.base_model,
                                                  .image_size = a.image_size,
                                                  .chip = a.target,
                                                  .pictures = a.images,
                                                  .prompts = a.prompts,
                                                  .reply_tokens = a.reply_tokens,
                                                  .shard = shard,
                                                  .channels = a.channels,
                                                  .decode = {.max_pixels = a.max_pixels},
                                                  .runtimes = common.runtimes,
                                                  .threads = common.threads,
                                                  .kept = kept},
                                                 *progress));
  const std::vector<std::string> findings = findings_of(ranges, shard);
  if (earlier) {
    if (Status merged = earlier->merge(ranges); !merged.ok()) return std::move(merged).error().within(a.output.string());
    ranges = *std::move(earlier);
  }
  TRY(write_ranges(a.output, ranges));
  std::error_code ignored;
  std::filesystem::remove(kept, ignored);
  if (common.json) {
    print_json({{"output", a.output.string()},
                {"model", ranges.model},
                {"pictures", ranges.pictures},
                {"prompts", ranges.prompts},
                {"tokens", ranges.tokens},
                {"values", ranges.values.size()},
                {"findings", findings}});
    return 0;
  }
  print_findings(findings);
  print_line(fmt::format("{}: {} values, seen with {} pictures, {} prompts and {} tokens", a.output.string(), ranges.values.size(),
                         ranges.pictures, ranges.prompts, ranges.tokens));
  return 0;
}

}  // namespace

Verb calibrate_verb(CommonArguments& common) {
  return make_verb<CalibrateArguments>(
      {.name = "calibrate",
       .group = kConvertGroup,
       .summary = "Measure the ranges of all activations with pictures and questions",
       .details = "Runs the static graphs on the CPU, as export --target would write them, with the chat prompt the model was trained\n"
                  "with, and writes what their values were: extremes, mean squares, histograms. The graphs lie in a temporary folder\n"
                  "meanwhile (TMPDIR). What was seen is kept beside the output every ten seconds (OUTPUT.so-far), and the same command\n"
                  "goes on with it after an interruption. Give the file to export --calibration.",
       .examples = "  fastvlm-npu calibrate --model-dir FastVLM-0.5B --images pictures --output ranges.fvc\n"
                   "  fastvlm-npu calibrate --model-dir FastVLM-0.5B --images more --prompts questions.txt --output ranges.fvc --merge"},
      common, add_options, run);
}

}  // namespace fastvlm::cli
