#include "fastvlm/tensor/block_quantise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "fastvlm/tensor/compare.h"

namespace fastvlm {
namespace {

struct Quantised {
  std::vector<float> scales;
  std::vector<std::byte> codes, zero_points;
  std::vector<float> back;
};

Quantised quantised(std::span<const float> rows, std::int64_t columns, BlockFormat format) {
  const auto count = rows.size() / static_cast<std::size_t>(columns);
  Quantised q{.scales = std::vector<float>(count * static_cast<std::size_t>(format.blocks_of(columns))),
              .codes = std::vector<std::byte>(count * static_cast<std::size_t>(format.row_bytes(columns))),
              .zero_points = std::vector<std::byte>(count * static_cast<std::size_t>(format.zero_point_bytes(columns))),
              .back = std::vector<float>(rows.size())};
  quantise_blocks(rows, columns, format, {.scales = q.scales, .codes = q.codes, .zero_points = q.zero_points});
  dequantise_blocks({.scales = q.scales, .codes = q.codes, .zero_points = q.zero_points}, columns, format, q.back);
  return q;
}

std::vector<float> normal_numbers(std::size_t count) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

TEST(BlockQuantise, EightBitCodesStandAboveTheirZeroAt128) {
  std::vector<float> row(16, 0.0f);
  row[0] = 127, row[1] = -127, row[2] = 0.5f, row[3] = 1.5f, row[4] = 2.5f;
  const Quantised q = quantised(row, 16, {.bits = 8, .block = 16});
  EXPECT_EQ(q.scales, std::vector<float>{1.0f});
  const std::vector<int> expected = {255, 1, 128, 130, 130, 128};  // halves go to the even code
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(std::to_integer<int>(q.codes[i]), expected[i]) << i;
}

TEST(BlockQuantise, FourBitCodesAreTwoInAByteTheFirstInTheLowHalf) {
  std::vector<float> row(16, 0.0f);
  row[0] = 7, row[1] = -7, row[2] = 3, row[3] = -1;
  const Quantised q = quantised(row, 16, {.bits = 4, .block = 16});
  EXPECT_EQ(q.scales, std::vector<float>{1.0f});
  EXPECT_EQ(std::to_integer<int>(q.codes[0]), 15 | 1 << 4);
  EXPECT_EQ(std::to_integer<int>(q.codes[1]), 11 | 7 << 4);
  EXPECT_EQ(std::to_integer<int>(q.codes[2]), 8 | 8 << 4);
}

TEST(BlockQuantise, AShiftedBlockReachesFromItsSmallestNumberToItsLargest) {
  std::vector<float> row(3 * 16, 0.0f);
  row[0] = -3, row[1] = 12, row[2] = 1;          // zero at code 3
  row[16] = 15, row[17] = 2;                     // none below zero: code 0
  row[32] = -30, row[33] = -4, row[34] = -1.9f;  // none above: code 15
  const Quantised q = quantised(row, 48, {.bits = 4, .block = 16, .shifted = true});
  EXPECT_EQ(q.scales, (std::vector<float>{1, 1, 2}));
  EXPECT_EQ(q.zero_points, (std::vector<std::byte>{std::byte{3 | 0 << 4}, std::byte{15}}));
  EXPECT_EQ(q.codes[0], std::byte{0 | 15 << 4});
  EXPECT_EQ(q.codes[1], std::byte{4 | 3 << 4});
  EXPECT_EQ(q.codes[16], std::byte{0 | 13 << 4});
  for (std::size_t i = 0; i < row.size(); ++i) EXPECT_NEAR(q.back[i], row[i], 0.11) << i;
}

TEST(BlockQuantise, ZeroStaysZeroInAShiftedBlock) {
  std::vector<float> values = normal_numbers(64 * 32);
  for (std::size_t i = 0; i < values.size(); i += 5) values[i] = 0;
  const Quantised q = quantised(values, 64, {.bits = 4, .block = 32, .shifted = true});
  for (std::size_t i = 0; i < values.size(); i += 5) EXPECT_EQ(q.back[i], 0.0f) << i;
}

TEST(BlockQuantise, NormalNumbersKeepTheAccuracyThatTheBitsAllow) {
  struct Case {
    BlockFormat format;
    double least_db;
  };
  // Uniform quantisation to half a step of largest/127 or largest/7 of 32 or 64 normal numbers.
  const Case cases[] = {{{8, 32}, 43}, {{8, 64}, 42}, {{4, 32}, 19}, {{4, 64}, 18}, {{4, 32, true}, 20}};
  const std::vector<float> values = normal_numbers(64 * 256);
  for (const Case& c : cases) {
    const Quantised q = quantised(values, 256, c.format);
    EXPECT_GT(compare(q.back, values).snr_db, c.least_db) << c.format.bits << " bits, block " << c.format.block;
  }
}

TEST(BlockQuantise, TheSearchedScaleOfFourBitsIsNeverWorseThanThePlainOne) {
  const std::vector<float> values = normal_numbers(4096);
  for (std::size_t begin = 0; begin < values.size(); begin += 32) {
    const auto block = std::span(values).subspan(begin, 32);
    auto error = [&](float scale) {
      double sum = 0;
      for (float value : block) {
        const double back = std::clamp(std::nearbyint(value / scale), -8.0f, 7.0f) * scale;
        sum += (back - value) * (back - value);
      }
      return sum;
    };
    float largest = 0;
    for (float value : block) largest = std::max(largest, std::abs(value));
    EXPECT_LE(error(block_scale(block, 4)), error(largest / 7) * 1.002);  // the plain scale is rounded to half precision, too
  }
}

TEST(BlockQuantise, ALastBlockThatIsNotFullIsFilledWithZeros) {
  const std::vector<float> values = normal_numbers(2 * 40);
  const Quantised q = quantised(values, 40, {.bits = 8, .block = 32});
  ASSERT_EQ(q.scales.size(), 4U);
  ASSERT_EQ(q.codes.size(), 128U);
  for (std::size_t i = 32 + 8; i < 64; ++i) EXPECT_EQ(std::to_integer<int>(q.codes[i]), 128);
  EXPECT_GT(compare(q.back, values).snr_db, 40);
}

TEST(BlockQuantise, ZerosNaNAndInfinityBecomeZeroAndLeaveTheOthersAlone) {
  std::vector<float> row(32, 0.0f);
  row[16] = std::numeric_limits<float>::quiet_NaN(), row[17] = std::numeric_limits<float>::infinity(), row[18] = 2;
  for (const BlockFormat format : {BlockFormat{4, 16}, BlockFormat{8, 16}, BlockFormat{4, 16, true}}) {
    const Quantised q = quantised(row, 32, format);
    EXPECT_EQ(q.scales[0], 0.0f);
    for (std::size_t i = 0; i < 32; ++i) EXPECT_NEAR(q.back[i], i == 18 ? 2.0f : 0.0f, 0.01f) << i;
  }
}

TEST(BlockQuantise, NumbersAtTheEndsOfHalfPrecisionKeepAFiniteScale) {
  for (float size : {1e-12f, 1e-7f, 1e30f})
    for (int bits : {4, 8}) {
      const float scale = block_scale(std::vector<float>(16, size), bits);
      EXPECT_TRUE(std::isfinite(scale) && scale > 0) << size;
    }
}

}  // namespace
}  // namespace fastvlm
