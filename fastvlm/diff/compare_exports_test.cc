#include "fastvlm/diff/compare_exports.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/base/hash.h"
#include "fastvlm/bundle/manifest_for_tests.h"
#include "fastvlm/tensor/block_quantise.h"
#include "fastvlm/tensor/convert.h"

namespace fastvlm {
namespace {

constexpr const char* kData = "npu/decoder.onnx.data";

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

// An export with one data file; weights are added one behind the other.
class Side {
 public:
  explicit Side(Path folder) : folder_(std::move(folder)) { manifest_.weights.clear(); }

  void add(const std::string& name, Dtype type, Shape shape, const std::string& bytes, const std::string& done = "") {
    manifest_.weights.push_back({.name = name,
                                 .file = kData,
                                 .offset = data_.size(),
                                 .bytes = bytes.size(),
                                 .type = type,
                                 .shape = std::move(shape),
                                 .from = {},
                                 .done = done});
    data_ += bytes;
  }
  void floats(const std::string& name, const std::vector<float>& values) {
    add(name, Dtype::kFloat32, {static_cast<std::int64_t>(values.size())}, bytes_of(values));
  }
  void blocks(const std::string& name, const std::vector<float>& row, float factor) {
    const BlockFormat format{.bits = 4, .block = 32};
    const auto columns = static_cast<std::int64_t>(row.size());
    std::vector<float> scales(static_cast<std::size_t>(format.blocks_of(columns)));
    std::vector<std::byte> codes(static_cast<std::size_t>(format.row_bytes(columns)));
    quantise_blocks(row, columns, format, {.scales = scales, .codes = codes, .zero_points = {}});
    for (float& scale : scales) scale *= factor;
    add(name + ":codes", Dtype::kUint8, {1, format.blocks_of(columns), format.block_bytes()}, bytes_of(codes), "int4 in blocks of 32");
    add(name + ":scales", Dtype::kFloat32, {1, format.blocks_of(columns)}, bytes_of(scales), "int4 in blocks of 32, scales");
  }
  Manifest& manifest() { return manifest_; }

  ExportSide side(bool with_file = true) {
    manifest_.files[kData] = {.bytes = data_.size(), .sha256 = sha256_of(data_), .made = "weights"};
    if (with_file) {
      std::filesystem::create_directories((folder_ / kData).parent_path());
      EXPECT_TRUE(write_file_atomically(folder_ / kData, data_).ok());
    }
    return {.folder = folder_, .manifest = manifest_};
  }
  void cut(std::size_t bytes) { data_.resize(data_.size() - bytes); }

 private:
  Path folder_;
  Manifest manifest_ = manifest_for_tests();
  std::string data_;
};

class Diff : public testing::Test {
 protected:
  ExportDifferences compared(bool with_files = true) {
    const ExportSide a = first_.side(), b = second_.side(with_files);
    auto result = compare_exports(a, b);
    EXPECT_TRUE(result.ok()) << result.error().message;
    return result.ok() ? *result : ExportDifferences();
  }
  FolderForTests folder_;
  Side first_{folder_ / "a"}, second_{folder_ / "b"};
};

TEST_F(Diff, AnExportIsTheSameAsItself) {
  first_.floats("w", {1, 2});
  second_.floats("w", {1, 2});
  const ExportDifferences d = compared();
  EXPECT_TRUE(d.same()) << to_json(d).dump(1);
  EXPECT_EQ(d.same_weights, 1);
}

TEST_F(Diff, WeightsDifferByTheLargestDifferenceAndTheRatioOfSignalToNoise) {
  first_.floats("same", {5});
  first_.floats("w", {1, 2, 3, 4});
  first_.floats("worse", {1, 1});
  second_.floats("worse", {1, 0});
  second_.floats("w", {1, 2, 3, 4.5f});
  second_.floats("same", {5});  // elsewhere in the file
  const ExportDifferences d = compared();
  ASSERT_EQ(d.weights.size(), 2U);
  EXPECT_EQ(d.same_weights, 1);
  EXPECT_EQ(d.weights[0].name, "worse");
  EXPECT_NEAR(d.weights[0].numbers->snr_db, 10 * std::log10(2.0), 1e-9);
  EXPECT_EQ(d.weights[1].name, "w");
  EXPECT_DOUBLE_EQ(d.weights[1].numbers->max_abs, 0.5);
  EXPECT_NEAR(d.weights[1].numbers->snr_db, 10 * std::log10(30 / 0.25), 1e-9);
  ASSERT_EQ(d.files.size(), 1U);
  EXPECT_EQ(d.files[0].name, kData);
}

TEST_F(Diff, CodesInBlocksAreComparedTogetherWithTheirScales) {
  std::vector<float> row(64);
  for (std::size_t i = 0; i < row.size(); ++i) row[i] = static_cast<float>(i % 8) / 8;
  first_.blocks("w", row, 1);
  second_.blocks("w", row, 2);
  first_.blocks("same", row, 1);
  second_.blocks("same", row, 1);
  const ExportDifferences d = compared();
  ASSERT_EQ(d.weights.size(), 1U);
  EXPECT_EQ(d.weights[0].name, "w");
  EXPECT_NEAR(d.weights[0].numbers->snr_db, 0, 1e-6);  // twice the signal: the noise is the signal
  EXPECT_NEAR(d.weights[0].numbers->max_abs, 0.875, 0.05);
  EXPECT_EQ(d.same_weights, 1);
}

TEST_F(Diff, OtherTypesAreComparedAsNumbers) {
  const std::vector<std::uint16_t> halves = {float_to_float16(1), float_to_float16(-2)};
  first_.floats("w", {1, -2});
  second_.add("w", Dtype::kFloat16, {2}, bytes_of(halves));
  first_.add("codes", Dtype::kInt8, {2}, bytes_of(std::vector<std::int8_t>{-3, 4}));
  second_.add("codes", Dtype::kInt8, {2}, bytes_of(std::vector<std::int8_t>{-3, -4}));
  const ExportDifferences d = compared();
  ASSERT_EQ(d.weights.size(), 2U);
  EXPECT_DOUBLE_EQ(d.weights[0].numbers->max_abs, 8);
  EXPECT_DOUBLE_EQ(d.weights[1].numbers->snr_db, 300);
  EXPECT_EQ(d.weights[1].sentence, "float32 became float16");
}

TEST_F(Diff, WhatCannotBeComparedIsSaid) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  first_.floats("wider", {1, 2});
  second_.floats("wider", {1, 2, 3});
  first_.floats("mine", {1});
  second_.floats("nan", {kNan, 1});
  first_.floats("nan", {1, 1});
  second_.floats("yours", {1});
  const ExportDifferences d = compared();
  ASSERT_EQ(d.weights.size(), 2U);
  EXPECT_EQ(d.weights[0].sentence, "is float32 [2] in the first, float32 [3] in the second");
  EXPECT_EQ(d.weights[1].numbers->not_finite, 1);
  EXPECT_EQ(d.only_weights.first, std::vector<std::string>{std::string("mine in ") + kData});
  EXPECT_EQ(d.only_weights.second, std::vector<std::string>{std::string("yours in ") + kData});
}

TEST_F(Diff, ManifestsWithoutFilesAreComparedWithoutNumbers) {
  first_.floats("w", {1});
  second_.floats("w", {2});
  const ExportDifferences d = compared(/*with_files=*/false);
  ASSERT_EQ(d.weights.size(), 1U);
  EXPECT_NE(d.weights[0].sentence.find("is not beside the second manifest"), std::string::npos) << d.weights[0].sentence;
}

TEST_F(Diff, AFileThatIsShorterThanItsManifestSaysIsRefused) {
  first_.floats("w", {1, 2});
  second_.floats("w", {2, 2});
  second_.cut(4);
  const auto result = compare_exports(first_.side(), second_.side());
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind, ErrorKind::kBadInput);
  EXPECT_NE(result.error().message.find("has 4 bytes, but \"w\" lies at 0 and has 8"), std::string::npos) << result.error().message;
}

TEST_F(Diff, SettingsGraphsAndFilesOfOneSideAreListed) {
  Manifest& m = second_.manifest();
  m.preprocessing.settings.size += 64;
  m.graphs.front().nodes += 1;
  const std::string gone = m.graphs.back().file, changed = m.graphs.front().file;
  m.graphs.pop_back();
  m.files["new.json"] = {.bytes = 1, .sha256 = "00", .made = "copied"};
  const ExportDifferences d = compared();
  EXPECT_TRUE(std::ranges::any_of(d.settings, [](const ChangedSetting& s) { return s.key == "/preprocessing/image_size"; }));
  ASSERT_FALSE(d.graphs.empty());
  EXPECT_EQ(d.graphs[0].file, changed);
  EXPECT_EQ(d.graphs[0].changes.at(0).key, "/nodes");
  EXPECT_EQ(d.only_graphs.first, std::vector<std::string>{gone});
  EXPECT_EQ(d.only_files.second, std::vector<std::string>{"new.json"});
}

}  // namespace
}  // namespace fastvlm
