// Towers in integers on the emulated NPU, on noise and on a drawing: as near to the float tower as on the CPU.
#include <gtest/gtest.h>

#include <algorithm>

#include "fastvlm/compile/graph_opener.h"
#include "fastvlm/export/calibrated_for_tests.h"
#include "fastvlm/export/golden_export_for_tests.h"
#include "fastvlm/image/preprocess.h"
#include "fastvlm/session/run_graph.h"
#include "fastvlm/tensor/compare.h"

namespace fastvlm {
namespace {

constexpr std::int64_t kSize = 256;
const Path kDrawing = Path(FASTVLM_TEST_DATA) / "trained/eval/000.png";

struct Tower {
  const char* name;
  const char* chip;
  const char* recipe;  // of the decoder, which every export has
};

class IntegerTowerEmulated : public testing::TestWithParam<Tower> {
 protected:
  // Drawings only: that the noise stays near, too, is due to what calibrating adds.
  Ranges ranges() const {
    constexpr const char* kPictures[] = {"trained/eval/000.png", "trained/eval/001.png", "trained/eval/002.png"};
    return calibrated({.model_dir = golden_folder(GetParam().name) / "checkpoint",
                       .image_size = kSize,
                       .chip = GetParam().chip,
                       .pictures = with_pictures(folder_ / "pictures", kPictures),
                       .reply_tokens = 1});
  }
  Path exported(const std::string& name, const NpuOptions& npu, const std::optional<RangeOptions>& ranges) const {
    ExportOptions options = golden_export(GetParam().name, folder_ / name, kSize);
    options.npu = npu;
    options.ranges = ranges;
    export_or_fail(options);
    return folder_ / name;
  }
  static std::vector<float> features(const Path& output, const OpenGraph& open, const Tensor& pixels) {
    auto vision = open(output / open_output_folder(output).value().vision(kSize)->file).value();
    const Tensor features = run_for(*vision, {{"pixel_values", pixels}}, "image_features").value();
    return {features.floats().begin(), features.floats().end()};
  }
  FolderForTests folder_;
};

TEST_P(IntegerTowerEmulated, IsNearTheFloatTowerOnNoiseAndOnADrawing) {
  NpuOptions npu{.targets = {"sm8750"}, .prefill = {4}, .context = 16};
  const Path floats = exported("floats", npu, std::nullopt);
  npu.targets = {GetParam().chip};
  npu.recipes = {find_recipe(GetParam().recipe).value()};
  npu.vision_recipe = find_recipe("w8a16").value();
  const Path integers = exported("integers", npu, RangeOptions{.ranges = ranges()});
  const auto on_npu = graph_opener({.output_dir = integers,
                                    .chip = GetParam().chip,
                                    .runtimes = {.cache_folder = default_cache_folder(std::getenv("XDG_CACHE_HOME"), std::getenv("HOME"))},
                                    .program = FASTVLM_PROGRAM});
  ASSERT_TRUE(on_npu.ok()) << on_npu.error().message;
  const Shape shape = {1, 3, kSize, kSize};
  for (const Tensor& pixels :
       {random_floats(shape, 0, 1, 1), Tensor::of_floats(shape, load_pixel_values(kDrawing, {.settings = {.size = kSize}}).value())}) {
    const auto expected = features(floats, cpu_for_tests(), pixels), cpu = features(integers, cpu_for_tests(), pixels),
               npu_features = features(integers, *on_npu, pixels);
    EXPECT_GE(compare(cpu, expected).snr_db, 45);
    EXPECT_GE(compare(npu_features, expected).snr_db, 45);
  }
}

const Tower kTowers[] = {{"apple-tied", "sm8350", "w8a16-int"}, {"hf-unfused", "sm8350", "w8a16-int"}, {"hf-unfused", "sm8750", "w8a16"}};

INSTANTIATE_TEST_SUITE_P(Golden, IntegerTowerEmulated, testing::ValuesIn(kTowers), [](const auto& info) {
  std::string name = std::string(info.param.name) + "_" + info.param.chip;
  std::ranges::replace(name, '-', '_');
  return name;
});

}  // namespace
}  // namespace fastvlm
