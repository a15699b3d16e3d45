// What inspect says about weights in integers, against numbers worked out from the files in another way.
#include "fastvlm/inspect/weight_accuracy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "fastvlm/export/encodings_for_tests.h"
#include "fastvlm/export/golden_export_for_tests.h"
#include "fastvlm/export/golden_ranges_for_tests.h"

namespace fastvlm {
namespace {

constexpr const char* kGolden = "apple-tied";

class AccuracyOfWeights : public testing::Test {
 protected:
  Path output() const { return folder_ / "out"; }
  ExportOptions options(std::vector<Recipe> recipes) const {
    ExportOptions options = golden_export(kGolden, output(), 128);
    options.npu = NpuOptions{.targets = {"sm8750"}, .image_sizes = {128}, .prefill = {8}, .context = 32};
    options.npu->recipes = std::move(recipes);
    return options;
  }
  std::vector<RecipeAccuracy> measured() const {
    auto all = weight_accuracy(output(), read_manifest(output()).value());
    EXPECT_TRUE(all.ok()) << all.error().message;
    return all.ok() ? *std::move(all) : std::vector<RecipeAccuracy>();
  }
  static const WeightAccuracy& row(const RecipeAccuracy& recipe, const std::string& name) {
    const auto found = std::ranges::find(recipe.weights, name, &WeightAccuracy::name);
    EXPECT_NE(found, recipe.weights.end()) << name;
    return *found;
  }
  FolderForTests folder_;
};

double decibels(const std::vector<float>& expected, const std::vector<float>& actual) {
  double signal = 0, noise = 0;
  for (std::size_t i = 0; i < expected.size(); ++i)
    signal += double{expected[i]} * expected[i], noise += std::pow(double{actual[i]} - expected[i], 2);
  return 10 * std::log10(signal / noise);
}

TEST_F(AccuracyOfWeights, IsThatOfTheCodesAndScalesInTheFiles) {
  export_or_fail(options({Recipe(), find_recipe("w8").value(), find_recipe("w4").value()}));
  const std::vector<RecipeAccuracy> all = measured();
  ASSERT_EQ(all.size(), 2u);
  const GraphReadBack floats(output() / "npu/decoder_ar1_cl32.onnx");
  for (const RecipeAccuracy& recipe : all) {
    SCOPED_TRACE(recipe.recipe);
    EXPECT_EQ(recipe.graphs, "decoder");
    const GraphReadBack graph(output() / fmt::format("npu/decoder_ar1_cl32_{}.onnx", recipe.recipe));
    std::size_t counted = 0;
    for (const OnnxNode& node : graph.model().nodes) {
      if (node.op != "MatMulNBits") continue;
      ++counted;
      const std::string name = node.inputs[1].substr(0, node.inputs[1].size() - 6);
      const std::int64_t rows = node.integer("N", 0), columns = node.integer("K", 0), block = node.integer("block_size", 0);
      const bool eight = node.integer("bits", 0) == 8;
      const Tensor codes = graph.numbers(node.inputs[1]);
      const std::vector<float> scales = graph.floats(node.inputs[2]), lying = floats.floats(name);
      const bool is_table = floats.initializer(name)->shape == Shape{rows, columns} && name.find("embed") != std::string::npos;
      std::vector<float> expected, actual;
      for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t c = 0; c < columns; ++c) {
          const auto at = static_cast<std::size_t>(r * columns + c);
          const unsigned byte = std::to_integer<unsigned>(codes.bytes[eight ? at : at / 2]);
          const int code = eight ? static_cast<int>(byte) - 128 : static_cast<int>(at % 2 == 0 ? byte & 15U : byte >> 4) - 8;
          actual.push_back(static_cast<float>(code) * scales[static_cast<std::size_t>((r * columns + c) / block)]);
          expected.push_back(lying[static_cast<std::size_t>(is_table ? r * columns + c : c * rows + r)]);
        }
      const WeightAccuracy& told = row(recipe, name);
      EXPECT_EQ(told.precision, fmt::format("{} bits, blocks of {}", eight ? 8 : 4, block));
      EXPECT_EQ(told.half_bytes, static_cast<std::uint64_t>(rows * columns) * 2);
      EXPECT_EQ(told.bytes, codes.bytes.size() + 2 * scales.size());
      ASSERT_TRUE(told.sqnr_db) << name;
      EXPECT_NEAR(*told.sqnr_db, decibels(expected, actual), 1e-6) << name;
      EXPECT_GT(*told.sqnr_db, eight ? 35 : 14) << name;
    }
    EXPECT_EQ(counted, recipe.weights.size());
    EXPECT_LT(recipe.bytes, recipe.half_bytes);
  }
  // The worst of four bits first.
  EXPECT_TRUE(std::ranges::is_sorted(all[1].weights, {}, [](const WeightAccuracy& one) { return *one.sqnr_db; }));
  EXPECT_LT(*all[1].weights.front().sqnr_db, 25);
}

TEST_F(AccuracyOfWeights, HasAllOfTowerAndDecoderInIntegers) {
  for (const char* golden : {"apple-tied", "hf-unfused"}) {
    SCOPED_TRACE(golden);
    ExportOptions whole = options({find_recipe("w8a16").value()});
    whole.model_dir = golden_folder(golden) / "checkpoint";
    whole.output_dir = folder_ / golden;
    whole.npu->vision_recipe = find_recipe("w8a16").value();
    whole.ranges = RangeOptions{.ranges = golden_ranges(golden, 128, folder_), .share = 1};
    export_or_fail(whole);
    const auto all = weight_accuracy(folder_ / golden, read_manifest(folder_ / golden).value());
    ASSERT_TRUE(all.ok()) << all.error().message;
    ASSERT_EQ(all->size(), 2u);
    EXPECT_EQ(all->at(0).graphs, "vision");
    EXPECT_EQ(all->at(1).graphs, "decoder");
    for (const RecipeAccuracy& recipe : *all)
      for (const WeightAccuracy& one : recipe.weights) {
        ASSERT_TRUE(one.sqnr_db) << one.name;
        EXPECT_TRUE(one.precision.starts_with("8 bits by channel")) << one.precision;
        const bool in_two_parts = one.precision.ends_with("in two parts");
        EXPECT_GT(*one.sqnr_db, in_two_parts ? 60 : 25) << one.name;
      }
    EXPECT_TRUE(std::ranges::any_of(all->at(0).weights, [](const auto& one) { return one.precision.ends_with("in two parts"); }));
  }
}

TEST_F(AccuracyOfWeights, ADamagedScaleIsTheWorst) {
  export_or_fail(options({find_recipe("w8").value()}));
  const std::string name = "model.layers.1.mlp.up_proj.weight";
  const double before = *row(measured().at(0), name).sqnr_db;
  const Manifest manifest = read_manifest(output()).value();
  const auto entry = std::ranges::find(manifest.weights, name + ":codes", &WeightEntry::name);
  ASSERT_NE(entry, manifest.weights.end());
  std::fstream file(output() / entry->file, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(entry->offset));
  for (int i = 0; i < 64; ++i) file.put(static_cast<char>(255));
  file.close();
  const RecipeAccuracy after = measured().at(0);
  EXPECT_EQ(after.weights.front().name, name);
  EXPECT_LT(*after.weights.front().sqnr_db, before - 10);
}

TEST_F(AccuracyOfWeights, AFileThatEndsBeforeItsWeightsIsNamed) {
  export_or_fail(options({find_recipe("w8").value()}));
  std::filesystem::resize_file(output() / "npu/decoder_w8.onnx.data", 100);
  const auto all = weight_accuracy(output(), read_manifest(output()).value());
  ASSERT_FALSE(all.ok());
  EXPECT_NE(all.error().message.find("decoder_w8.onnx.data: has 100 bytes"), std::string::npos) << all.error().message;
}

TEST_F(AccuracyOfWeights, FloatsHaveNone) {
  export_or_fail(options({Recipe()}));
  EXPECT_TRUE(measured().empty());
}

}  // namespace
}  // namespace fastvlm
