#include "fastvlm/export/embedding_int8.h"

#include <cmath>
#include <limits>

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/base/hash.h"

namespace fastvlm {
namespace {

struct Written {
  Int8Table table;
  std::vector<int> values;
};

Written written(const FolderForTests& folder, Shape shape, std::vector<float> values, unsigned threads = 1) {
  Progress silent;
  auto table =
      write_int8_table(Weight::of_values(std::move(shape), std::move(values), "test"), folder / "lut.bin", {.threads = threads}, silent);
  EXPECT_TRUE(table.ok());
  Written result{*table, {}};
  for (char byte : folder.read("lut.bin")) result.values.push_back(static_cast<signed char>(byte));
  return result;
}

TEST(Int8Table, TheLargestMagnitudeBecomes127AndHalvesGoToTheEvenNeighbour) {
  FolderForTests folder;
  // The largest is 127, so that the scale is 1 and the numbers below are quotients.
  const Written w =
      written(folder, {2, 7}, {127, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -2.5f, 0.49999997f, 0.50000006f, -126.5f, 125.5f, 1e-30f, -0.0f, 3});
  EXPECT_EQ(w.table.scale, 1.0);
  EXPECT_EQ(w.values, (std::vector<int>{127, 0, 2, 2, 0, -2, -2, 0, 1, -126, 126, 0, 0, 3}));
}

TEST(Int8Table, TheScaleIsTheLargestMagnitudeOver127) {
  FolderForTests folder;
  const Written w = written(folder, {1, 3}, {-0.3f, 0.2f, 0.1f});
  EXPECT_DOUBLE_EQ(w.table.scale, double{0.3f} / 127);
  EXPECT_EQ(w.values, (std::vector<int>{-127, 85, 42}));
}

TEST(Int8Table, EveryNumberIsRoundedExactlyAndTheNoiseIsWhatTheFileHas) {
  FolderForTests folder;
  std::vector<float> values(40000);
  std::uint32_t state = 1;
  for (float& value : values) {
    state = state * 1664525u + 1013904223u;
    value = (static_cast<float>(state >> 8) * 0x1p-23f - 1) * 0.0371f;
  }
  // Numbers beside the middle between two steps, where an inexact quotient goes the wrong way.
  const double scale = double{0.0371f} / 127;
  for (int q = -127; q < 127; ++q)
    for (int side = -1; side <= 1; ++side) {
      float middle = static_cast<float>((q + 0.5) * scale);
      for (int i = 0; i < std::abs(side); ++i) middle = std::nextafter(middle, side < 0 ? -1.0f : 1.0f);
      values.push_back(middle);
    }
  values.push_back(-0.0371f);
  const auto rows = static_cast<std::int64_t>(values.size());
  const Written w = written(folder, {rows, 1}, values);
  ASSERT_EQ(w.values.size(), values.size());
  double signal = 0, noise = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(w.values[i], std::nearbyint(double{values[i]} / scale)) << values[i];
    signal += double{values[i]} * values[i];
    noise += std::pow(values[i] - w.values[i] * w.table.scale, 2);
  }
  EXPECT_NEAR(w.table.sqnr_db, 10 * std::log10(signal / noise), 1e-9);
  EXPECT_GT(w.table.sqnr_db, 40);
}

TEST(Int8Table, TheRecipeInCirculationGivesZeros) {
  // x / absmax lies in [-1, 1]; a cast to int8 cuts the fraction off and leaves nothing but the extremes.
  FolderForTests folder;
  const std::vector<float> values = {0.3f, -0.29f, 0.2f, 0.1f, -0.05f};
  int others = 0;
  for (float value : values) others += static_cast<std::int8_t>(value / 0.3f) != 0;
  EXPECT_EQ(others, 1) << "only the largest number itself survives";
  const Written w = written(folder, {1, 5}, values);
  for (int value : w.values) EXPECT_NE(value, 0);
}

TEST(Int8Table, ATableOfZerosAndNumbersThatAreNotFinite) {
  FolderForTests folder;
  const Written zeros = written(folder, {2, 2}, {0, 0, -0.0f, 0});
  EXPECT_EQ(zeros.table.scale, 1.0);
  EXPECT_EQ(zeros.table.sqnr_db, 300.0);
  EXPECT_EQ(zeros.values, (std::vector<int>{0, 0, 0, 0}));
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(written(folder, {1, 4}, {NAN, 2, kInfinity, -kInfinity}).values, (std::vector<int>{0, 127, 0, 0}));
}

TEST(Int8Table, AnyNumberOfThreadsGivesTheSameBytes) {
  // More than two pieces; rows cross their borders.
  constexpr std::int64_t kRows = 3001, kColumns = 3001;
  auto source = std::make_shared<MatrixSource>();
  source->rows = kRows, source->columns = kColumns;
  source->read = [](std::int64_t r0, std::int64_t r1, std::int64_t c0, std::int64_t c1, std::span<float> out) -> Status {
    std::size_t at = 0;
    for (std::int64_t r = r0; r < r1; ++r)
      for (std::int64_t c = c0; c < c1; ++c) out[at++] = static_cast<float>((r * 7919 + c * 31) % 2001 - 1000);
    return {};
  };
  const WeightPtr table = Weight::of_source({kRows, kColumns}, std::move(source), {"table"}, "");
  std::set<std::string> hashes;
  std::set<double> noises;
  for (unsigned threads : {1u, 2u, 5u}) {
    FolderForTests folder;
    Progress silent;
    auto result = write_int8_table(table, folder / "lut.bin", {.threads = threads}, silent);
    ASSERT_TRUE(result.ok());
    EXPECT_EQ(result->file.bytes, static_cast<std::uint64_t>(kRows * kColumns));
    EXPECT_EQ(result->file.sha256, sha256_of_file(folder / "lut.bin").value());
    hashes.insert(result->file.sha256);
    noises.insert(result->sqnr_db);
  }
  EXPECT_EQ(hashes.size(), 1u);
  EXPECT_EQ(noises.size(), 1u);
}

TEST(Int8Table, AnErrorOfTheTablePassesThrough) {
  FolderForTests folder;
  Progress silent;
  auto table = write_int8_table(Weight::computed(
                                    {4, 4}, []() -> Result<std::vector<float>> { return bad_input("tensor \"t\" is cut off"); }, {"t"}, ""),
                                folder / "lut.bin", {.threads = 2}, silent);
  ASSERT_FALSE(table.ok());
  EXPECT_EQ(table.error().message, "tensor \"t\" is cut off");
}

}  // namespace
}  // namespace fastvlm
