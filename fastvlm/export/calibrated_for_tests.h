// Ranges of a checkpoint, for tests.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <span>

#include "fastvlm/export/calibrate_checkpoint.h"
#include "fastvlm/run/runtimes_for_tests.h"

namespace fastvlm {

// Copies the pictures, which lie in the test data, into `folder`; for CheckpointCalibration::pictures.
inline Path with_pictures(const Path& folder, std::span<const char* const> pictures) {
  std::filesystem::create_directories(folder);
  for (const char* picture : pictures) std::filesystem::copy(Path(FASTVLM_TEST_DATA) / picture, folder);
  return folder;
}

// On the runtime of the tests. None, and a failure, when it cannot be done.
inline Ranges calibrated(CheckpointCalibration how) {
  how.runtimes.onnxruntime_library = runtimes_for_tests().onnxruntime_library;
  Progress silent;
  auto ranges = calibrate_checkpoint(how, silent);
  EXPECT_TRUE(ranges.ok()) << ranges.error().message;
  return ranges.ok() ? *std::move(ranges) : Ranges();
}

}  // namespace fastvlm
