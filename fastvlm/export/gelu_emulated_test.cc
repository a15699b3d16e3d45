// The quick forms of GELU where ranges are known: towers stay near to the floats.
#include <gtest/gtest.h>

#include <algorithm>

#include "fastvlm/compile/graph_opener.h"
#include "fastvlm/export/calibrated_for_tests.h"
#include "fastvlm/export/golden_export_for_tests.h"
#include "fastvlm/session/run_graph.h"
#include "fastvlm/tensor/compare.h"

namespace fastvlm {
namespace {

struct Tower {
  const char* name;  // of a golden folder, or "trained"
  std::int64_t image_size;
  std::vector<const char*> pictures;  // in the test data, to calibrate with
  bool all_quick;                     // its inputs are small
  double snr_db;                      // of the features, at least
};

class GeluFormsEmulated : public testing::TestWithParam<Tower> {
 protected:
  static Path checkpoint() {
    const Path trained = Path(FASTVLM_TEST_DATA) / "trained";
    return (std::string_view(GetParam().name) == "trained" ? trained : golden_folder(GetParam().name)) / "checkpoint";
  }
  ExportOptions options() const {
    return {.model_dir = checkpoint(),
            .output_dir = folder_ / "quick",
            .image_size = GetParam().image_size,
            .npu = NpuOptions{.targets = {"sm8750"}, .prefill = {4}, .context = 16},
            .ranges = RangeOptions{.ranges = ranges()}};
  }
  Ranges ranges() const {
    return calibrated({.model_dir = checkpoint(),
                       .image_size = GetParam().image_size,
                       .chip = "sm8750",
                       .pictures = with_pictures(folder_ / "pictures", GetParam().pictures),
                       .reply_tokens = 1});
  }
  // A picture of noise, which the ranges have not seen.
  static Tensor features_of(const Path& output, const OpenGraph& open) {
    const std::int64_t size = GetParam().image_size;
    auto vision = open(output / open_output_folder(output).value().vision(size)->file).value();
    return run_for(*vision, {{"pixel_values", random_floats({1, 3, size, size}, 0, 1, 1)}}, "image_features").value();
  }

  FolderForTests folder_;
};

TEST_P(GeluFormsEmulated, AutoTakesQuickFormsWhereTheyLoseLittle) {
  export_or_fail(options());
  const Manifest manifest = read_manifest(folder_ / "quick").value();
  ASSERT_FALSE(manifest.gelus.empty());
  const auto exact = std::ranges::count(manifest.gelus, "exact", &GeluEntry::form);
  EXPECT_EQ(exact == 0, GetParam().all_quick) << exact;
  EXPECT_LT(exact, std::ssize(manifest.gelus) / 2);
  for (const GeluEntry& gelu : manifest.gelus) EXPECT_TRUE(gelu.why.starts_with("inputs reach ")) << gelu.why;
  auto npu = graph_opener({.output_dir = folder_ / "quick",
                           .chip = "sm8750",
                           .runtimes = {.cache_folder = default_cache_folder(std::getenv("XDG_CACHE_HOME"), std::getenv("HOME"))},
                           .program = FASTVLM_PROGRAM});
  ASSERT_TRUE(npu.ok()) << npu.error().message;
  EXPECT_GE(compare(features_of(folder_ / "quick", *npu).floats(), features_of(folder_ / "quick", cpu_for_tests()).floats()).snr_db,
            GetParam().snr_db);
}

// All quick the trained tower has 44 dB on its drawings, of which verify wants 45.
const std::vector<const char*> kPhotos = {"images/edge/exif1.jpg", "images/edge/exif2.jpg"};
const Tower kTowers[] = {{"apple-tied", 128, kPhotos, true, 55},
                         {"hf-untied-sharded", 128, kPhotos, true, 55},
                         {"hf-unfused", 128, kPhotos, true, 55},
                         {"trained", 256, {"trained/eval/000.png", "trained/eval/001.png"}, false, 50}};

INSTANTIATE_TEST_SUITE_P(Towers, GeluFormsEmulated, testing::ValuesIn(kTowers), [](const auto& info) {
  std::string name = info.param.name;
  std::ranges::replace(name, '-', '_');
  return name;
});

}  // namespace
}  // namespace fastvlm
