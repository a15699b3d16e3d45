// The quick forms of GELU where ranges are known: the golden towers stay as near to the floats as with the exact one.
#include <gtest/gtest.h>

#include <algorithm>

#include "fastvlm/compile/graph_opener.h"
#include "fastvlm/export/calibrate_checkpoint.h"
#include "fastvlm/export/golden_export_for_tests.h"
#include "fastvlm/session/run_graph.h"
#include "fastvlm/tensor/compare.h"

namespace fastvlm {
namespace {

constexpr std::int64_t kSize = 128;

class GeluFormsEmulated : public testing::TestWithParam<const char*> {
 protected:
  ExportOptions options(const std::string& name) const {
    ExportOptions options = golden_export(GetParam(), folder_ / name, kSize);
    options.npu = NpuOptions{.targets = {"sm8750"}, .prefill = {4}, .context = 16};
    return options;
  }
  Ranges ranges() const {
    std::filesystem::create_directories(folder_ / "pictures");
    for (const char* picture : {"exif1.jpg", "exif2.jpg"})
      std::filesystem::copy(Path(FASTVLM_TEST_DATA) / "images/edge" / picture, folder_ / "pictures");
    Progress silent;
    auto ranges = calibrate_checkpoint({.model_dir = golden_folder(GetParam()) / "checkpoint",
                                        .image_size = kSize,
                                        .chip = "sm8750",
                                        .pictures = folder_ / "pictures",
                                        .reply_tokens = 1,
                                        .runtimes = {.onnxruntime_library = runtimes_for_tests().onnxruntime_library}},
                                       silent);
    EXPECT_TRUE(ranges.ok()) << ranges.error().message;
    return ranges.ok() ? *ranges : Ranges();
  }
  // A picture of noise, which the ranges have not seen.
  static Tensor features_of(const Path& output, const OpenGraph& open) {
    auto vision = open(output / open_output_folder(output).value().vision(kSize)->file).value();
    return run_for(*vision, {{"pixel_values", random_floats({1, 3, kSize, kSize}, 0, 1, 1)}}, "image_features").value();
  }

  FolderForTests folder_;
};

TEST_P(GeluFormsEmulated, AutoIsNoneOfItExactAndLosesLittle) {
  ExportOptions quick = options("quick");
  quick.ranges = RangeOptions{.ranges = ranges()};
  export_or_fail(quick);
  const Manifest manifest = read_manifest(folder_ / "quick").value();
  ASSERT_FALSE(manifest.gelus.empty());
  for (const GeluEntry& gelu : manifest.gelus) {
    EXPECT_NE(gelu.form, "exact") << gelu.name << ": " << gelu.why;
    EXPECT_TRUE(gelu.why.starts_with("inputs reach ")) << gelu.why;
  }
  auto npu = graph_opener({.output_dir = folder_ / "quick",
                           .chip = "sm8750",
                           .runtimes = {.cache_folder = default_cache_folder(std::getenv("XDG_CACHE_HOME"), std::getenv("HOME"))},
                           .program = FASTVLM_PROGRAM});
  ASSERT_TRUE(npu.ok()) << npu.error().message;
  EXPECT_GE(compare(features_of(folder_ / "quick", *npu).floats(), features_of(folder_ / "quick", cpu_for_tests()).floats()).snr_db, 55);
}

INSTANTIATE_TEST_SUITE_P(Golden, GeluFormsEmulated, testing::Values("apple-tied", "hf-untied-sharded", "hf-unfused"), [](const auto& info) {
  std::string name = info.param;
  std::ranges::replace(name, '-', '_');
  return name;
});

}  // namespace
}  // namespace fastvlm
