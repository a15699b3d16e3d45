#include "fastvlm/tensor/channel_quantise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "fastvlm/base/decibels.h"

namespace fastvlm {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

WeightPtr matrix(std::int64_t rows, std::int64_t columns, const std::vector<float>& values) {
  auto source = std::make_shared<MatrixSource>();
  source->rows = rows, source->columns = columns;
  source->read = [values, columns](std::int64_t r0, std::int64_t r1, std::int64_t c0, std::int64_t c1, std::span<float> out) -> Status {
    std::size_t at = 0;
    for (std::int64_t r = r0; r < r1; ++r)
      for (std::int64_t c = c0; c < c1; ++c) out[at++] = values[static_cast<std::size_t>(r * columns + c)];
    return {};
  };
  return Weight::of_source({rows, columns}, std::move(source), {"m"}, "");
}

WeightPtr waves(std::int64_t rows, std::int64_t columns) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < rows * columns; ++i) values.push_back(std::sin(0.7F * static_cast<float>(i)));
  return matrix(rows, columns, values);
}

std::vector<int> codes_of(const ChannelWeight& weight, std::int64_t step) {
  std::vector<int> all;
  for (std::int64_t row = 0; row < weight.codes->row_count(); row += step) {
    const std::int64_t end = std::min(row + step, weight.codes->row_count());
    std::vector<std::byte> piece(static_cast<std::size_t>((end - row) * weight.codes->row_size()));
    EXPECT_TRUE(weight.codes->read_packed_rows(row, end, piece).ok());
    for (std::byte code : piece) all.push_back(static_cast<std::int8_t>(code));
  }
  return all;
}

TEST(ChannelQuantise, TheLargestOfAChannelIs127AndZerosHaveAScale) {
  const ChannelWeight weight = quantised_by_channel(matrix(3, 2, {254, -100, 0, 0, -1.27F, 0.5F}));
  EXPECT_EQ(weight.scales->read_all().value(), (std::vector<float>{2, 1, 1.27F / 127}));
  EXPECT_EQ(codes_of(weight, 3), (std::vector<int>{127, -50, 0, 0, -127, 50}));
}

TEST(ChannelQuantise, WhatIsNoNumberIsZeroAndInfinitySaturates) {
  const ChannelWeight weight = quantised_by_channel(matrix(1, 4, {kNaN, INFINITY, -INFINITY, 12.7F}));
  EXPECT_EQ(codes_of(weight, 1), (std::vector<int>{0, 127, -127, 127}));
}

TEST(ChannelQuantise, PiecesOfAnySizeGiveTheBytesOfTheWhole) {
  for (const WeightPtr& weight : {waves(13, 24), waves(13, 24)->transposed()})
    EXPECT_EQ(codes_of(quantised_by_channel(weight), 100), codes_of(quantised_by_channel(weight), 5));
}

TEST(ChannelQuantise, AWeightReadTransposedHasTheSameChannels) {
  const ChannelWeight plain = quantised_by_channel(waves(5, 7)), turned = quantised_by_channel(waves(5, 7)->transposed());
  EXPECT_EQ(turned.codes->shape(), (Shape{7, 5}));
  EXPECT_EQ(turned.scales->read_all().value(), plain.scales->read_all().value());
  const std::vector<int> a = codes_of(plain, 5), b = codes_of(turned, 7);
  for (std::size_t row = 0; row < 5; ++row)
    for (std::size_t column = 0; column < 7; ++column) EXPECT_EQ(a[row * 7 + column], b[column * 5 + row]);
}

TEST(ChannelQuantise, NoScaleIsBelowItsLeast) {
  const WeightPtr weight = matrix(3, 2, {127, 1, 127, 1, 254, 2});
  const ChannelWeight raised = quantised_by_channel(weight, {.least = {0, 4, 1}});
  EXPECT_EQ(raised.scales->read_all().value(), (std::vector<float>{1, 4, 2}));
  EXPECT_EQ(codes_of(raised, 3), (std::vector<int>{127, 1, 32, 0, 127, 1}));
  EXPECT_NE(raised.codes->identity(), quantised_by_channel(weight).codes->identity()) << "other codes are another weight";
}

TEST(ChannelQuantise, FactorsHaveElevenBitsWhereTheRuleSaysSo) {
  const WeightPtr weight = waves(7, 24);
  const std::vector<float> plain = quantised_by_channel(weight).scales->read_all().value();
  for (const double factor : {0.37, 1e-3, 812.0}) {
    const ChannelWeight made = quantised_by_channel(weight, {.factor = factor});
    const std::vector<float> scales = made.scales->read_all().value();
    for (std::size_t i = 0; i < scales.size(); ++i) {
      int exponent = 0;
      const double codes = std::frexp(scales[i] * factor, &exponent) * 2048;
      EXPECT_NEAR(codes, std::nearbyint(codes), 2e-4) << scales[i];
      EXPECT_GE(scales[i], plain[i] * (1 - 1e-6));
      EXPECT_LE(scales[i], plain[i] * (1 + 1.0 / 1024));
      EXPECT_EQ(raised(scales[i], factor), scales[i]) << "once is enough";
    }
    EXPECT_NE(made.codes->identity(), quantised_by_channel(weight).codes->identity());
  }
}

TEST(ChannelQuantise, TheRemainderIsWhatTheCodesLeaveInPiecesOfAnySize) {
  const WeightPtr rest = remainder_of_channels(matrix(2, 3, {127, 0.25F, -1.5F, 2, 254, 1}));
  const std::vector<float> whole = rest->read_all().value();
  EXPECT_EQ(whole, (std::vector<float>{0, 0.25F, 0.5F, 0, 0, 1})) << "halves go to even codes";
  std::vector<float> row(3);
  ASSERT_TRUE(rest->read_rows(1, 2, row).ok());
  EXPECT_EQ(row, (std::vector<float>{0, 0, 1}));
  EXPECT_EQ(rest->transposed()->read_all().value(), (std::vector<float>{0, 0, 0.25F, 0, 0.5F, 1}));
}

TEST(ChannelQuantise, FactsAreScalesTheLargestSumAndWhatIsLost) {
  const ChannelFacts exact = channel_facts(matrix(2, 2, {127, -3, 0, 0})).value();
  EXPECT_EQ(exact.scales, (std::vector<float>{1, 1}));
  EXPECT_EQ(exact.largest_sum, 130);
  EXPECT_EQ(exact.snr_db, kEqualDb);
  const ChannelFacts lossy = channel_facts(matrix(1, 2, {127, 0.25F})).value();
  EXPECT_NEAR(lossy.snr_db, 10 * std::log10((127 * 127 + 0.0625) / 0.0625), 1e-4);
}

TEST(ChannelQuantise, AReadThatFailsIsTold) {
  auto source = std::make_shared<MatrixSource>();
  source->rows = 2, source->columns = 2;
  source->read = [](auto, auto, auto, auto, std::span<float>) -> Status { return bad_input("the file ends early"); };
  const ChannelWeight weight = quantised_by_channel(Weight::of_source({2, 2}, source, {"m"}, ""));
  EXPECT_FALSE(weight.scales->read_all().ok());
  std::vector<std::byte> codes(4);
  EXPECT_FALSE(weight.codes->read_packed_rows(0, 2, codes).ok());
}

}  // namespace
}  // namespace fastvlm
