#include "fastvlm/export/calibrate_checkpoint.h"

#include <algorithm>
#include <limits>
#include <thread>

#include "fastvlm/base/temporary_folder.h"
#include "fastvlm/base/try.h"
#include "fastvlm/compile/graph_opener.h"
#include "fastvlm/export/model_identity.h"
#include "fastvlm/quant/built_in_set.h"
#include "fastvlm/quant/merge_ranges.h"

namespace fastvlm {
namespace {

constexpr std::int64_t kPromptTokens = 1024;  // at most, beside the picture

ExportOptions graphs_to_measure(const CheckpointCalibration& o, const ModelConfig& config, const Path& output) {
  const std::int64_t size = o.image_size.value_or(config.preprocessing.settings.size), side = size / kVisionStride;
  NpuOptions npu{.targets = {o.chip}, .known_targets = o.known_targets};
  npu.prefill = kCalibrationPrefill;
  npu.context = std::min(config.text.max_position_embeddings, side * side + kPromptTokens + o.reply_tokens);
  npu.part_limit_bytes = std::numeric_limits<std::uint64_t>::max();
  return ExportOptions{.model_dir = o.model_dir,
                       .output_dir = output,
                       .base_model = o.base_model,
                       .image_size = o.image_size,
                       .threads = o.threads,
                       .npu = std::move(npu)};
}

// Sums come out otherwise where they are split among other threads.
std::string what_numbers_depend_on(const CheckpointCalibration& o, const ModelConfig& config) {
  const unsigned threads = o.threads > 0 ? o.threads : std::thread::hardware_concurrency();
  return fmt::format("part {} of {}, pictures of {}, form of {}, {} threads", o.shard.index, o.shard.count,
                     o.image_size.value_or(config.preprocessing.settings.size), o.chip, threads);
}

// Adds the built-in set, or noise to the user's pictures. As large as the model sees them, so that nothing is smoothed away.
Status add_made_up_pictures(const CheckpointCalibration& o, const ModelConfig& config, const Path& folder, CalibrateOptions& how) {
  const int side = static_cast<int>(o.image_size.value_or(config.preprocessing.settings.size));
  if (o.pictures.empty()) {
    TRY_ASSIGN(how.pictures, write_built_in_pictures(folder, side));
    return {};
  }
  how.noise = folder / "noise.png";
  return write_noise_picture(how.noise, side);
}

}  // namespace

Result<Ranges> calibrate_checkpoint(const CheckpointCalibration& o, Progress& progress) {
  CalibrateOptions how{
      .shard = o.shard, .reply_tokens = o.reply_tokens, .record = {.channels = o.channels, .threads = o.threads}, .decode = o.decode};
  if (!o.pictures.empty()) {
    TRY_ASSIGN(how.pictures, pictures_in(o.pictures));
  }
  how.prompts = default_prompts();
  if (!o.prompts.empty()) {
    TRY_ASSIGN(how.prompts, read_prompts(o.prompts));
  }
  TRY_ASSIGN(const Checkpoint checkpoint, Checkpoint::open(o.model_dir, o.base_model));
  TRY_ASSIGN(const ModelConfig config, read_model_config(checkpoint));
  TRY_ASSIGN(how.model, model_identity(checkpoint));
  how.keep = {.file = o.kept, .how = what_numbers_depend_on(o, config), .every = o.keep_every};
  TRY_ASSIGN(TemporaryFolder work, o.work_folder.empty() ? TemporaryFolder::create() : TemporaryFolder::create_in(o.work_folder));
  how.folder = work.path() / "graphs";
  TRY(require_runtimes(o.runtimes, /*with_qnn=*/false));  // before the work
  how.open = [&](const Watcher& watcher) {
    return graph_opener(
        {.output_dir = how.folder, .runtimes = o.runtimes, .threads = o.threads, .share_weights = true, .watcher = watcher});
  };
  TRY(add_made_up_pictures(o, config, work.path(), how));
  TRY_ASSIGN(const ExportReport exported, run_export(graphs_to_measure(o, config, how.folder), progress));
  return calibrate(how, progress);
}

Result<Ranges> ranges_of(const Path& source, const CheckpointCalibration& options, Progress& progress) {
  std::error_code failure;
  if (!source.empty() && !std::filesystem::is_directory(source, failure)) {
    TRY_ASSIGN(Ranges ranges, read_ranges(source));
    TRY(check_complete(ranges, source));
    return ranges;
  }
  CheckpointCalibration folder = options;
  folder.pictures = source;
  return calibrate_checkpoint(folder, progress);
}

}  // namespace fastvlm
