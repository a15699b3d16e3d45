// make-checkpoint --outliers --model-dir: a checkpoint again, with outliers (synthetic/outliers.h).
#pragma once

#include "fastvlm/synthetic/checkpoint.h"

namespace fastvlm {

struct OutlierCopyOptions {
  Path model_dir;
  Path output_dir;
  std::uint64_t seed = 0;
  bool force = false;  // replace an existing checkpoint folder
};

// Same files, names and types; tensors are read and written piece by piece. Errors: those of a checkpoint that cannot be read, a number
// that would leave the range of its type, folder in use, disk full, interrupt.
Result<MakeCheckpointReport> copy_with_outliers(const OutlierCopyOptions& options, Progress& progress);

}  // namespace fastvlm
