#include "fastvlm/tensor/quantised_weight.h"

#include <gtest/gtest.h>

#include <cmath>

#include "fastvlm/tensor/channel_quantise.h"
#include "fastvlm/tensor/column_quantise.h"
#include "fastvlm/tensor/quantised_weight_for_tests.h"

namespace fastvlm {
namespace {

struct CountedReads {
  WeightPtr weight;
  std::shared_ptr<int> reads = std::make_shared<int>(0);
};

CountedReads waves(std::int64_t rows, std::int64_t columns) {
  CountedReads counted;
  auto source = std::make_shared<MatrixSource>();
  source->rows = rows, source->columns = columns;
  source->read = [reads = counted.reads](std::int64_t r0, std::int64_t r1, std::int64_t c0, std::int64_t c1,
                                         std::span<float> out) -> Status {
    ++*reads;
    std::size_t at = 0;
    for (std::int64_t r = r0; r < r1; ++r)
      for (std::int64_t c = c0; c < c1; ++c) out[at++] = std::sin(0.7f * static_cast<float>(r * 131 + c));
    return {};
  };
  counted.weight = Weight::of_source({rows, columns}, std::move(source), {"waves"}, "");
  return counted;
}

TEST(QuantisedWeight, SaysHowManyOfItsNumbersAreNone) {
  std::vector<float> numbers(64, 0.5f);
  numbers[3] = NAN, numbers[40] = INFINITY, numbers[41] = -INFINITY;
  const WeightPtr weight = Weight::of_values({2, 32}, numbers, "");
  const WeightPtr packed[] = {quantised_in_blocks(weight, {4, 32}).codes, quantised_in_blocks(weight, {8, 16}).codes,
                              quantised_in_column_blocks(weight, 16).codes, quantised_by_channel(weight).codes};
  for (const WeightPtr& codes : packed) {
    CastLosses all;
    for (std::int64_t row = 0; row < codes->row_count(); ++row) {
      std::vector<std::byte> bytes(static_cast<std::size_t>(codes->row_size()));
      const auto losses = codes->read_packed_rows(row, row + 1, bytes);
      ASSERT_TRUE(losses.ok());
      all.add(*losses);
    }
    EXPECT_EQ(all.not_finite, 3) << codes->done();
  }
}

TEST(QuantisedWeight, PiecesOfAnySizeGiveTheBytesOfTheWhole) {
  for (const BlockFormat format : {BlockFormat{8, 32}, BlockFormat{4, 16}, BlockFormat{4, 64}, BlockFormat{4, 32, true}}) {
    const QuantisedWeight whole = quantised_in_blocks(waves(13, 96).weight, format),
                          parts = quantised_in_blocks(waves(13, 96).weight, format);
    EXPECT_EQ(codes_of(whole, 13), codes_of(parts, 5));
    EXPECT_EQ(whole.scales->read_all().value(), parts.scales->read_all().value());
    EXPECT_EQ(zero_points_of(whole, 13), zero_points_of(parts, 4));
  }
}

TEST(QuantisedWeight, ScalesAreTheSameWhetherCodesWereReadBeforeOrNot) {
  const QuantisedWeight before = quantised_in_blocks(waves(6, 64).weight, {}), without = quantised_in_blocks(waves(6, 64).weight, {});
  codes_of(before, 4);
  EXPECT_EQ(before.scales->read_all().value(), without.scales->read_all().value());
}

TEST(QuantisedWeight, TheSourceIsReadOnceForCodesAndScales) {
  const CountedReads counted = waves(8, 64);
  const QuantisedWeight q = quantised_in_blocks(counted.weight, {});
  codes_of(q, 8);
  q.scales->read_all().value();
  EXPECT_EQ(*counted.reads, 1);
}

TEST(QuantisedWeight, ZeroPointsAreTheSameWhetherCodesWereReadBeforeOrNot) {
  const BlockFormat shifted{.bits = 4, .block = 32, .shifted = true};
  const QuantisedWeight before = quantised_in_blocks(waves(6, 96).weight, shifted),
                        without = quantised_in_blocks(waves(6, 96).weight, shifted);
  EXPECT_EQ(before.zero_points->shape(), (Shape{6, 2}));  // three in a row
  codes_of(before, 4);
  EXPECT_EQ(zero_points_of(before, 6), zero_points_of(without, 6));
  EXPECT_EQ(quantised_in_blocks(waves(6, 96).weight, {.bits = 4, .block = 32}).zero_points, nullptr);
}

TEST(QuantisedWeight, ItSaysWhereItComesFromAndWhatWasDone) {
  const QuantisedWeight q = quantised_in_blocks(waves(8, 100).weight, {.bits = 4, .block = 32});
  EXPECT_EQ(q.codes->shape(), (Shape{8, 4, 16}));
  EXPECT_EQ(q.scales->shape(), (Shape{8, 4}));
  EXPECT_EQ(q.codes->from(), std::vector<std::string>{"waves"});
  EXPECT_EQ(q.codes->done(), "int4 in blocks of 32");
  EXPECT_EQ(q.scales->done(), "int4 in blocks of 32, scales");
  EXPECT_NE(q.codes->identity(), quantised_in_blocks(waves(8, 100).weight, {.bits = 8, .block = 32}).codes->identity());
}

}  // namespace
}  // namespace fastvlm
