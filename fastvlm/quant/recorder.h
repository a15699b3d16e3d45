// Graphs whose every run is watched.
#pragma once

#include "fastvlm/onnx/model_file.h"
#include "fastvlm/quant/ranges.h"
#include "fastvlm/run/watcher.h"
#include "fastvlm/session/output_folder.h"

namespace fastvlm {

struct RecordOptions {
  bool channels = false;  // also the squares of each channel of what linear layers and convolutions read
  unsigned threads = 0;   // that observe large values; 0: one per core
};

// Opens graphs on the CPU whose runs it is shown (run/watcher.h): no value is kept for it, and none is computed again.
using OpenWatched = std::function<Result<OpenGraph>(const Watcher& watcher)>;

// Outlives the graphs that it opened.
class Recorder {
 public:
  Recorder(const OpenWatched& open, const RecordOptions& options);
  Recorder(const Recorder&) = delete;

  // A graph in float32. Each run adds what its inputs and values were to the ranges.
  Result<std::unique_ptr<Runner>> open(const Path& model);

  Ranges& ranges() { return ranges_; }

 private:
  // Along which axis the channels of a value lie.
  enum class Channels { kLast, kSecond };

  void learn_channels(const OnnxModel& model);
  void observe(const std::string& name, const TensorView& seen);

  RecordOptions options_;
  Result<OpenGraph> open_;
  Ranges ranges_;
  std::map<std::string, Channels> channels_;
};

}  // namespace fastvlm
