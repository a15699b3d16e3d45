// A graph whose every run is watched.
#pragma once

#include "fastvlm/quant/ranges.h"
#include "fastvlm/session/output_folder.h"

namespace fastvlm {

struct RecordOptions {
  bool channels = false;  // also the squares of each channel of what linear layers and convolutions read
  // Values are fetched in groups of so many bytes; the graph runs once for each group.
  std::uint64_t bytes_at_a_time = std::uint64_t{256} << 20;
};

// Opens `model` so that each run adds what its values were to `ranges`, which must outlive the runner. Inputs and outputs are
// those of the model.
Result<std::unique_ptr<Runner>> open_recorded(const Path& model, const OpenGraph& open, Ranges& ranges, const RecordOptions& options = {});

}  // namespace fastvlm
