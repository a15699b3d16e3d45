// A checkpoint with outliers computes what the reference computed of the one that it was made of.
#include <set>

#include "fastvlm/export/golden_export_for_tests.h"
#include "fastvlm/synthetic/outlier_copy.h"
#include "fastvlm/verify/verify.h"

namespace fastvlm {
namespace {

class Outliers : public testing::TestWithParam<const char*> {};

TEST_P(Outliers, ChangeKeysAndValuesAndNothingBehindThem) {
  const std::string golden = GetParam();
  const FolderForTests folder;
  const Path checkpoint = folder / "checkpoint";
  Progress silent;
  const auto made = copy_with_outliers({.model_dir = golden_folder(golden) / "checkpoint", .output_dir = checkpoint, .seed = 1}, silent);
  ASSERT_TRUE(made.ok()) << made.error().message;
  ExportOptions options = golden_export(golden, folder / "out", 128);
  options.model_dir = checkpoint;
  options.npu = golden_npu();
  export_or_fail(options);
  const auto report = verify({.output_dir = folder / "out",
                              .model_dir = checkpoint,
                              .reference = write_golden(golden, folder.path()),
                              .open_cpu = cpu_for_tests()},
                             silent);
  ASSERT_TRUE(report.ok()) << report.error().message;
  std::set<std::string> departed;
  for (const VerifyRow& row : report->rows)
    if (row.outcome == Outcome::kMissed) departed.insert(row.subject);
  std::set<std::string> caches;
  const std::size_t layers = golden == "hf-untied-sharded" ? 3 : 2;
  for (std::size_t i = 0; i < layers; ++i)
    for (const char* what : {"key", "value"}) caches.insert(fmt::format("chat.{}.{}", what, i));
  EXPECT_EQ(departed, caches);
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, Outliers, testing::Values("apple-tied", "hf-untied-sharded", "hf-unfused"));

}  // namespace
}  // namespace fastvlm
