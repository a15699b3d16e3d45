// Calibration: pictures and questions go through the static graphs on the CPU, as they would on the NPU, and what the values
// were is kept.
#pragma once

#include "fastvlm/base/progress.h"
#include "fastvlm/base/shard.h"
#include "fastvlm/image/decode.h"
#include "fastvlm/quant/kept_ranges.h"
#include "fastvlm/quant/recorder.h"

namespace fastvlm {

// Prompt lengths that calibration wants graphs for: any prompt is cut into these and single tokens without padding, whose values
// would count as if they were real.
inline const std::vector<std::int64_t> kCalibrationPrefill = {32, 4};

struct CalibrateOptions {
  Path folder;  // of export, with float32 graphs in npu/ whose decoder is whole
  OpenWatched open;
  std::vector<Path> pictures;        // each is asked at least one question
  Path noise;                        // a picture that only tower and projector see, in the first part; empty: none
  Shard shard;                       // which of them are seen now
  std::vector<std::string> prompts;  // used in turn
  std::int64_t reply_tokens = 16;    // of each answer, at most
  RecordOptions record;
  std::string model;  // its name, Ranges::model
  KeepOptions keep;   // what was seen so far
  ImageDecodeOptions decode;
};

// A name for the pictures, the questions and how they are asked: parts that bear it belong together. Reads every picture.
Result<std::string> calibration_set(const CalibrateOptions& options);

// A picture that cannot be read is an Error.
Result<Ranges> calibrate(const CalibrateOptions& options, Progress& progress);

// The pictures of a folder, by name. An Error when there is none.
Result<std::vector<Path>> pictures_in(const Path& folder);

// One question a line; empty lines are skipped. An Error when there is none.
Result<std::vector<std::string>> read_prompts(const Path& file);
// What is asked when the user has no questions.
const std::vector<std::string>& default_prompts();

}  // namespace fastvlm
