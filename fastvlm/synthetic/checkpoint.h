// make-checkpoint: a FastVLM checkpoint with random weights in the real shapes, so that everything behind it can be tried
// without the real one. The weights are written as a stream; memory does not grow with the model.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "fastvlm/base/files.h"
#include "fastvlm/base/progress.h"
#include "fastvlm/base/staged_folder.h"
#include "fastvlm/synthetic/layout.h"

namespace fastvlm {

struct MakeCheckpointOptions {
  CheckpointSize size = CheckpointSize::kTiny;
  CheckpointDialect dialect = CheckpointDialect::kApple;
  Path output_dir;
  std::uint64_t seed = 0;
  bool outliers = false;  // synthetic/outliers.h: the model computes the same
  bool force = false;     // replace an existing checkpoint folder
};

struct MakeCheckpointReport {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;  // of all files
  std::uint64_t tensors = 0;
  std::uint64_t parameters = 0;  // stored floating-point elements: with BatchNorm statistics, and a tied head counted twice
};

// Writes into a temporary sibling of `output_dir` and renames it at the end; a failed run leaves nothing. The folder must not
// exist or be empty; `force` replaces a folder whose config.json is that of a FastVLM. The bytes depend on size, dialect,
// seed and `outliers` only. Errors: folder in use, disk too small or full, interrupt.
Result<MakeCheckpointReport> make_checkpoint(const MakeCheckpointOptions& options, Progress& progress);

// How a checkpoint folder comes into its place: with `force` instead of one whose config.json is that of a FastVLM.
StageOptions checkpoint_stage(bool force);

// Elements first … first + out.size() - 1 of the tensor `key` as bfloat16. `first` is a multiple of 4.
void fill_random(std::uint64_t seed, std::string_view key, const TensorFill& fill, std::uint64_t first, std::span<std::uint16_t> out);

}  // namespace fastvlm
