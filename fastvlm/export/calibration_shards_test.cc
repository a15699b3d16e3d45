// Calibration spread over machines: the parts add up to the bytes of the single run.
#include <gtest/gtest.h>

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/base/interrupt.h"
#include "fastvlm/export/calibrated_for_tests.h"
#include "fastvlm/quant/merge_ranges.h"

namespace fastvlm {
namespace {

Ranges measured(const Path& pictures, const Shard& shard) {
  return calibrated({.model_dir = Path(FASTVLM_TEST_DATA) / "trained/checkpoint",
                     .chip = "sm8750",
                     .pictures = pictures,
                     .reply_tokens = 2,
                     .shard = shard});
}

TEST(CalibrationShards, MakeTheBytesOfTheSingleRun) {
  const FolderForTests folder;
  std::filesystem::create_directories(folder.path() / "pictures");
  for (const char* name : {"000.png", "001.png"})
    std::filesystem::copy(Path(FASTVLM_TEST_DATA) / "trained/eval" / name, folder.path() / "pictures");
  std::vector<Path> files;
  for (std::size_t index = 3; index >= 1; --index) {  // of three parts, one has no picture
    files.push_back(folder.path() / fmt::format("{}.fvc", index));
    ASSERT_TRUE(write_ranges(files.back(), measured(folder.path() / "pictures", {.index = index, .count = 3})).ok());
  }
  auto merged = merge_ranges(files);
  ASSERT_TRUE(merged.ok()) << merged.error().message;
  EXPECT_EQ(merged->pictures, 2U);
  EXPECT_EQ(ranges_text(*merged), ranges_text(measured(folder.path() / "pictures", {})));
}

TEST(CalibrationInterrupted, GoesOnWithWhatItHasSeenToTheSameBytes) {
  const FolderForTests folder;
  constexpr const char* kPictures[] = {"trained/eval/000.png", "trained/eval/001.png", "trained/eval/002.png"};
  CheckpointCalibration how{.model_dir = Path(FASTVLM_TEST_DATA) / "trained/checkpoint",
                            .chip = "sm8750",
                            .pictures = with_pictures(folder / "pictures", kPictures),
                            .reply_tokens = 2,
                            .kept = folder / "r.fvc.so-far",
                            .keep_every = std::chrono::seconds(0)};
  how.runtimes.onnxruntime_library = runtimes_for_tests().onnxruntime_library;
  const std::string whole = ranges_text(calibrated(how));
  std::filesystem::remove(how.kept);

  std::stop_source stop;
  Progress stopping([&](const ProgressEvent& event) {
    if (event.stage == "calibrating" && event.done == 2) stop.request_stop();
  });
  {
    const StopScope scope(stop.get_token());
    const auto stopped = calibrate_checkpoint(how, stopping);
    ASSERT_FALSE(stopped.ok());
    EXPECT_EQ(stopped.error().kind, ErrorKind::kInterrupted);
  }
  const auto kept = read_ranges(how.kept);
  ASSERT_TRUE(kept.ok()) << kept.error().message;
  EXPECT_EQ(kept->pictures, 2u);
  // Another calibration does not take it.
  CheckpointCalibration other = how;
  other.reply_tokens = 1;
  other.kept = folder / "other.so-far";
  std::filesystem::copy_file(how.kept, other.kept);
  EXPECT_EQ(calibrated(other).prompts, 6u);

  how.pictures = folder / "pictures";
  EXPECT_EQ(ranges_text(calibrated(how)), whole);
}

}  // namespace
}  // namespace fastvlm
