// Ranges of a checkpoint: its graphs are exported into a temporary folder, run on the CPU, and forgotten.
#pragma once

#include "fastvlm/export/export.h"
#include "fastvlm/quant/calibrate.h"
#include "fastvlm/run/runtimes.h"

namespace fastvlm {

struct CheckpointCalibration {
  Path model_dir;
  Path base_model;                         // see ExportOptions
  std::optional<std::int64_t> image_size;  // nothing: what the checkpoint was trained with
  std::string chip;                        // whose form of the graphs is measured
  Targets known_targets = fastvlm::known_targets();
  Path pictures;  // a folder; empty: the built-in set
  Path prompts;   // a file; empty: default_prompts()
  std::int64_t reply_tokens = 16;
  Shard shard;  // which of the pictures
  bool channels = false;
  ImageDecodeOptions decode = {};
  RuntimeSearch runtimes;
  Path work_folder;      // where the temporary folder is made; empty: the system's
  unsigned threads = 0;  // 0: one per core
  // What was seen so far is kept here, and the same calibration goes on with it; empty: nowhere. The caller removes it in the end.
  Path kept;
  std::chrono::seconds keep_every = KeepOptions().every;
};

Result<Ranges> calibrate_checkpoint(const CheckpointCalibration& options, Progress& progress);

// `source` is a file of ranges, or a folder of pictures that is calibrated with now.
// Nothing as `source`: with the built-in set.
Result<Ranges> ranges_of(const Path& source, const CheckpointCalibration& options, Progress& progress);

}  // namespace fastvlm
