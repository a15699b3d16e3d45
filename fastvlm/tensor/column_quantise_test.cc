#include "fastvlm/tensor/column_quantise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "fastvlm/tensor/quantised_weight_for_tests.h"

namespace fastvlm {
namespace {

float wave(std::size_t i, std::size_t columns) { return std::sin(0.7f * static_cast<float>(i / columns * 131 + i % columns)); }

WeightPtr waves(std::int64_t rows, std::int64_t columns) {
  std::vector<float> values(static_cast<std::size_t>(rows * columns));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = wave(i, static_cast<std::size_t>(columns));
  return Weight::of_values({rows, columns}, std::move(values), "");
}

// The blocks of a row are those of a column of the matrix turned, so both forms have the same scales and the same numbers.
TEST(ColumnQuantise, BlocksAlongColumnsAreTheSameNumbersTurned) {
  constexpr std::size_t kRows = 5, kColumns = 64, kBlock = 32, kBlocks = kColumns / kBlock;
  const QuantisedWeight rows = quantised_in_blocks(waves(kRows, kColumns), {8, kBlock}),
                        columns = quantised_in_column_blocks(waves(kRows, kColumns), kBlock);
  ASSERT_EQ(columns.codes->shape(), (Shape{kColumns, kRows}));
  ASSERT_EQ(columns.scales->shape(), (Shape{kBlocks, kRows}));
  const auto row_codes = codes_of(rows, 5), column_codes = codes_of(columns, 1);
  const auto row_scales = rows.scales->read_all().value(), column_scales = columns.scales->read_all().value();
  for (std::size_t r = 0; r < kRows; ++r)
    for (std::size_t c = 0; c < kColumns; ++c) {
      const float scale = column_scales[c / kBlock * kRows + r];
      // The other form keeps its scales in half precision.
      EXPECT_NEAR(scale, row_scales[r * kBlocks + c / kBlock], 1e-3f * scale);
      const int is = static_cast<std::int8_t>(column_codes[c * kRows + r]),
                wanted = std::to_integer<int>(row_codes[r * kColumns + c]) - 128;
      EXPECT_LE(std::abs(is - wanted), 1) << r << ", " << c;
      EXPECT_NEAR(static_cast<float>(is) * scale, wave(r * kColumns + c, kColumns), 0.501f * scale);
    }
}

TEST(ColumnQuantise, ScalesAlongColumnsAreTheSameWhetherCodesWereReadBeforeOrNot) {
  const QuantisedWeight before = quantised_in_column_blocks(waves(6, 64), 16), without = quantised_in_column_blocks(waves(6, 64), 16);
  EXPECT_EQ(codes_of(before, 1), codes_of(without, 4));
  const QuantisedWeight untouched = quantised_in_column_blocks(waves(6, 64), 16);
  EXPECT_EQ(before.scales->read_all().value(), untouched.scales->read_all().value());
}

}  // namespace
}  // namespace fastvlm
