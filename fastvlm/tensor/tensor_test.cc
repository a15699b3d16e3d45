#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "fastvlm/tensor/compare.h"
#include "fastvlm/tensor/convert.h"

namespace fastvlm {
namespace {

TEST(Dtype, TableRowsStandAtTheirOwnIndex) {
  for (std::size_t i = 0; i < kDtypes.size(); ++i) {
    EXPECT_EQ(static_cast<std::size_t>(kDtypes[i].dtype), i);
    EXPECT_EQ(dtype_from_safetensors(kDtypes[i].safetensors), kDtypes[i].dtype);
    EXPECT_EQ(dtype_from_onnx(kDtypes[i].onnx), kDtypes[i].dtype);
  }
  EXPECT_EQ(dtype_from_safetensors("F8_E4M3"), std::nullopt);
}

TEST(Shape, ElementCountRefusesNegativeAndHugeExtents) {
  EXPECT_EQ(checked_element_count(Shape{2, 3, 4}), 24);
  EXPECT_EQ(checked_element_count(Shape{}), 1);
  EXPECT_EQ(checked_element_count(Shape{5, 0}), 0);
  EXPECT_EQ(checked_element_count(Shape{-1, 2}), std::nullopt);
  EXPECT_EQ(checked_element_count(Shape{std::int64_t{1} << 40, std::int64_t{1} << 40}), std::nullopt);
}

TEST(Convert, EveryFloat16ValueSurvivesTheRoundTrip) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    auto half = static_cast<std::uint16_t>(bits);
    float value = float16_to_float(half);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(float16_to_float(float_to_float16(value))));
      continue;
    }
    EXPECT_EQ(float_to_float16(value), half) << bits;
  }
}

TEST(Convert, Float16RoundsHalfToEvenAndOverflowsAt65520) {
  struct Case {
    float value;
    std::uint16_t bits;
  };
  for (auto [value, bits] :
       {Case{1.0f, 0x3C00}, Case{1.0f + 0x1p-11f, 0x3C00}, Case{1.0f + 0x3p-11f, 0x3C02}, Case{65504.0f, 0x7BFF}, Case{65519.996f, 0x7BFF},
        Case{65520.0f, 0x7C00}, Case{0x1p-24f, 0x0001}, Case{0x1p-25f, 0x0000}, Case{0x1.8p-25f, 0x0001}, Case{-2.0f, 0xC000}})
    EXPECT_EQ(float_to_float16(value), bits) << value;
}

TEST(Convert, CastCountsWhatOverflowsAndVanishes) {
  const float values[] = {1.0f, 70000.0f, -1e-9f, std::numeric_limits<float>::infinity(), 0.0f};
  std::vector<std::byte> out(sizeof values / 2);
  CastLosses losses = from_float32(values, Dtype::kFloat16, out);
  EXPECT_EQ(losses.overflowed, 1);
  EXPECT_EQ(losses.vanished, 1);
  EXPECT_EQ(losses.not_finite, 1);
}

TEST(Convert, Bfloat16RoundsToNearestEven) {
  EXPECT_EQ(float_to_bfloat16(1.0f), 0x3F80);
  EXPECT_EQ(float_to_bfloat16(1.0f + 0x1p-8f), 0x3F80);
  EXPECT_EQ(float_to_bfloat16(1.0f + 0x3p-8f), 0x3F82);
  EXPECT_TRUE(std::isnan(bfloat16_to_float(float_to_bfloat16(std::nanf("")))));
}

TEST(Compare, FindsTheWorstElementAndItsMeasures) {
  const float expected[] = {1, -2, 4, 0};
  const float actual[] = {1, -2, 4.5f, 0};
  Difference d = compare(actual, expected);
  EXPECT_EQ(d.worst, 2);
  EXPECT_DOUBLE_EQ(d.max_abs, 0.5);
  EXPECT_DOUBLE_EQ(d.max_relative, 0.125);
  EXPECT_NEAR(d.snr_db, 10 * std::log10(21 / 0.25), 1e-9);
}

TEST(Compare, NotANumberIsNeverEqual) {
  const float expected[] = {1, 2};
  const float actual[] = {1, std::nanf("")};
  Difference d = compare(actual, expected);
  EXPECT_FALSE(d.finite);
  EXPECT_TRUE(std::isinf(d.max_relative));
}

}  // namespace
}  // namespace fastvlm
