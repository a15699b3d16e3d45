// Calibration spread over machines: the parts add up to the bytes of the single run.
#include <gtest/gtest.h>

#include <algorithm>

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

TEST(CalibrationShards, MakeTheBytesOfTheSingleRunHoweverManyAndInWhicheverOrder) {
  const FolderForTests folder;
  constexpr const char* kPictures[] = {"trained/eval/000.png", "trained/eval/001.png", "trained/eval/002.png"};
  const Path pictures = with_pictures(folder / "pictures", kPictures);
  const std::string whole = ranges_text(measured(pictures, {}));
  for (const std::size_t count : {1, 2, 3, 7}) {  // of seven parts, four have no picture
    std::vector<Path> files;
    for (std::size_t index = 1; index <= count; ++index) {
      files.push_back(folder / fmt::format("{}-{}.fvc", count, index));
      ASSERT_TRUE(write_ranges(files.back(), measured(pictures, {.index = index, .count = count})).ok());
    }
    for (int order = 0; order < 3; ++order) {
      const auto merged = merge_ranges(files);
      ASSERT_TRUE(merged.ok()) << merged.error().message;
      EXPECT_EQ(merged->pictures, 3U);
      EXPECT_TRUE(ranges_text(*merged) == whole) << count << " parts, order " << order;
      std::ranges::rotate(files, files.begin() + static_cast<std::ptrdiff_t>(files.size() / 2));
      std::ranges::reverse(files.begin(), files.end() - 1);
    }
  }
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
    EXPECT_EQ(stopped.error().message,
              fmt::format("interrupted; the ranges of 2 of {} pictures are kept in {}, run the same again to go on", std::size(kPictures),
                          how.kept.string()));
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
