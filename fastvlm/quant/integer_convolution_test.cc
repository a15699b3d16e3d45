#include "fastvlm/quant/integer_convolution.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace fastvlm {
namespace {

constexpr ProductEncodings kMap = {.input = {.dtype = Dtype::kUint16, .scale = 0.001F, .zero_point = 30000},
                                   .output = {.dtype = Dtype::kUint16, .scale = 0.003F, .zero_point = 30000}};

WeightPtr kernel(Shape shape, std::vector<float> values) { return Weight::of_values(std::move(shape), std::move(values), "made up"); }

// One large entry in each row; the others are less than a step of its codes.
std::vector<float> dominated(std::int64_t rows, std::int64_t columns) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < rows * columns; ++i)
    values.push_back(i % columns == 0 ? 10 : 0.03F * std::sin(0.7F * static_cast<float>(i)));
  return values;
}

std::vector<float> even(std::int64_t count) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < count; ++i) values.push_back(std::sin(0.7F * static_cast<float>(i)));
  return values;
}

// Codes of 8 bits keep these to 38 to 46 dB.
std::vector<float> peaked() {
  std::vector<float> values = even(64);
  for (std::size_t row = 0; row < 4; ++row) values[row * 16] = 3;
  return values;
}

std::vector<float> numbers_of(const ChannelWeight& weight) {
  const std::int64_t rows = weight.codes->row_count(), columns = weight.codes->row_size();
  std::vector<std::byte> codes(static_cast<std::size_t>(rows * columns));
  EXPECT_TRUE(weight.codes->read_packed_rows(0, rows, codes).ok());
  const std::vector<float> scales = weight.scales->read_all().value();
  const bool by_column = static_cast<std::int64_t>(scales.size()) != rows;
  std::vector<float> numbers;
  for (std::int64_t i = 0; i < rows * columns; ++i)
    numbers.push_back(static_cast<float>(static_cast<std::int8_t>(codes[static_cast<std::size_t>(i)])) *
                      scales[static_cast<std::size_t>(by_column ? i % columns : i / columns)]);
  return numbers;
}

float largest_error(const std::vector<float>& expected, const ChannelWeight& main, const ChannelWeight* rest) {
  const std::vector<float> a = numbers_of(main), b = rest == nullptr ? std::vector<float>(a.size()) : numbers_of(*rest);
  float largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::fabs(a[i] + b[i] - expected[i]));
  return largest;
}

TEST(IntegerConvolution, TheBiasHasTheScaleOfItsSums) {
  const auto made = integer_convolution(kernel({2, 2, 1, 1}, {127, 1, 0, 254}), {1, -6}, kMap);
  ASSERT_TRUE(made.ok()) << made.error().message;
  EXPECT_EQ(made->bias_scales, (std::vector<float>{0.001F, 0.002F}));
  EXPECT_EQ(made->bias, (std::vector<std::int32_t>{1000, -3000}));
  EXPECT_FALSE(made->rest);
}

TEST(IntegerConvolution, AScaleIsRaisedWhereTheBiasWouldNotFit) {
  const auto made = integer_convolution(kernel({2, 1, 1, 1}, {1e-9F, 127}), {1000, 1}, kMap);
  ASSERT_TRUE(made.ok()) << made.error().message;
  EXPECT_LE(std::fabs(made->bias[0]), 0x1p30F);
  EXPECT_NEAR(static_cast<double>(made->bias[0]) * made->bias_scales[0], 1000, 1e-3);
  EXPECT_EQ(made->weight.scales->read_all().value()[0] * kMap.input.scale, made->bias_scales[0]) << "the kernel has the scale of its bias";
  EXPECT_EQ(made->bias[1], 1000) << "the other channel keeps its own";
}

TEST(IntegerConvolution, WhatIsNoNumberIsNoBias) {
  const auto made = integer_convolution(kernel({2, 1, 1, 1}, {1, 1}), {std::nanf(""), 0}, kMap);
  ASSERT_TRUE(made.ok()) << made.error().message;
  EXPECT_EQ(made->bias, (std::vector<std::int32_t>{0, 0}));
}

struct SplitCase {
  const char* what;
  Shape shape;
  std::vector<float> values;
  bool split;
};

TEST(IntegerConvolution, KernelsThatEightBitsDoNotKeepHaveARestThatDoes) {
  const SplitCase cases[] = {{"even 1x1", {8, 32, 1, 1}, even(256), false},
                             {"dominated 1x1", {2, 128, 1, 1}, dominated(2, 128), true},
                             {"1x1 with peaks", {4, 16, 1, 1}, peaked(), false},
                             {"depthwise of the same numbers", {4, 1, 4, 4}, peaked(), true},
                             {"depthwise of exact codes", {1, 1, 1, 2}, {127, 3}, false}};
  for (const SplitCase& c : cases) {
    const auto made = integer_convolution(kernel(c.shape, c.values), std::vector<float>(static_cast<std::size_t>(c.shape[0])), kMap);
    ASSERT_TRUE(made.ok()) << c.what;
    ASSERT_EQ(made->rest.has_value(), c.split) << c.what;
    if (!c.split) continue;
    const float alone = largest_error(c.values, made->weight, nullptr), both = largest_error(c.values, made->weight, &made->rest->weight);
    EXPECT_LT(both, alone / 100) << c.what;
  }
}

TEST(IntegerConvolution, TheRangeOfTheRestHoldsWhatItsProductCanReach) {
  const std::vector<float> values = dominated(2, 9);
  const auto made = integer_convolution(kernel({2, 1, 3, 3}, values), {0, 0}, kMap);
  ASSERT_TRUE(made.ok() && made->rest);
  const std::vector<float> rest = numbers_of(made->rest->weight);
  const float largest_input = 35535 * kMap.input.scale;
  for (std::size_t row = 0; row < 2; ++row) {
    float sum = 0;
    for (std::size_t i = 0; i < 9; ++i) sum += std::fabs(rest[row * 9 + i]);
    EXPECT_LE(sum * largest_input, made->rest->product.scale * 32769);
  }
}

TEST(IntegerRest, OfAMatrixIsWhatItsCodesLeave) {
  const std::vector<float> turned = dominated(3, 8);  // [out, in], as checkpoints have it
  const WeightPtr matrix = kernel({3, 8}, turned)->transposed();
  const auto rest = integer_rest(matrix, kMap);
  ASSERT_TRUE(rest.ok()) << rest.error().message;
  EXPECT_EQ(rest->weight.codes->shape(), (Shape{8, 3}));
  EXPECT_EQ(rest->weight.scales->shape(), (Shape{3}));
  const std::vector<float> expected = matrix->read_all().value();
  const ChannelWeight main = quantised_by_channel(matrix);
  EXPECT_LT(largest_error(expected, main, &rest->weight), largest_error(expected, main, nullptr) / 100);
}

}  // namespace
}  // namespace fastvlm
