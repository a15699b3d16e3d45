#include "fastvlm/quant/square_sum.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace fastvlm {
namespace {

SquareSum sum_of(const std::vector<float>& numbers) {
  SquareSum sum;
  for (const float number : numbers) sum.add(number);
  return sum;
}

TEST(SquareSum, IsExactWhereTheSquaresAre) {
  EXPECT_EQ(sum_of({-1.5F, 0.25F, 70000.0F}).value(), 2.25 + 0.0625 + 4.9e9);
  EXPECT_EQ(sum_of({0x1p20F, 0x1p-20F}).value(), 0x1p40 + 0x1p-40);
  EXPECT_EQ(sum_of({0x1p37F}).value(), 0x1p74);
  EXPECT_EQ(sum_of({}).value(), 0);
}

TEST(SquareSum, DoesNotDependOnTheOrderOrOnTheParts) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal(0, 1);
  std::vector<float> numbers;
  for (int i = 0; i < 3000; ++i) numbers.push_back(normal(random) * (i % 50 == 0 ? 60000.0F : 0.01F));
  const SquareSum whole = sum_of(numbers);
  for (int round = 0; round < 5; ++round) {
    std::ranges::shuffle(numbers, random);
    SquareSum left = sum_of({numbers.begin(), numbers.begin() + 1000 + round});
    left.merge(sum_of({numbers.begin() + 1000 + round, numbers.end()}));
    EXPECT_EQ(left, whole);
  }
}

// Each number's square in units of 2^-52, rounded to even, in integers of 128 bits.
TEST(SquareSum, IsTheSumOfRoundedSquares) {
  std::mt19937 random(11);
  unsigned __int128 expected = 0;
  SquareSum sum;
  for (int i = 0; i < 20000; ++i) {
    const float number = std::ldexp(static_cast<float>(random()) * 0x1p-32F, static_cast<int>(random() % 60) - 35);
    expected += static_cast<unsigned __int128>(std::nearbyint(static_cast<double>(number) * number * 0x1p52));
    sum.add(number);
  }
  const auto high = static_cast<std::uint64_t>(expected >> 64), low = static_cast<std::uint64_t>(expected);
  ASSERT_GT(high, 0U);
  EXPECT_EQ(sum.text(), fmt::format("{:x}.{:013x}", high << 12 | low >> 52, low & 0xFFFFFFFFFFFFF));
}

TEST(SquareSum, StaysAtItsLargestValue) {
  SquareSum sum = sum_of({1e30F});
  EXPECT_EQ(sum.value(), 0x1p76);
  sum.add(1);
  EXPECT_EQ(sum.value(), 0x1p76);
  SquareSum near = sum_of({0x1p37F, 0x1p37F, 0x1p37F});
  near.merge(near);
  EXPECT_EQ(near.value(), 0x1p76);
}

TEST(SquareSum, IsReadAsItWasWritten) {
  EXPECT_EQ(sum_of({1.5F}).text(), "2.4000000000000");
  EXPECT_EQ(sum_of({}).text(), "0.0000000000000");
  for (const SquareSum sum : {sum_of({}), sum_of({0x1p-25F}), sum_of({3, 70000}), sum_of({0x1p37F}), sum_of({1e30F})})
    EXPECT_EQ(SquareSum::parse(sum.text()), sum) << sum.text();
  for (const char* text : {"", "1", ".0000000000000", "1.000000000000", "01.0000000000000", "g.0000000000000", "1.00000000000000",
                           "-1.0000000000000", "11112222333344445555.0000000000000", "A.0000000000000"})
    EXPECT_FALSE(SquareSum::parse(text)) << text;
}

}  // namespace
}  // namespace fastvlm
