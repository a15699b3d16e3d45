// Calibration spread over machines: the parts add up to the bytes of the single run.
#include <gtest/gtest.h>

#include "fastvlm/base/folder_for_tests.h"
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

}  // namespace
}  // namespace fastvlm
