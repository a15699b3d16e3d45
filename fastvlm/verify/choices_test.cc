#include "fastvlm/verify/choices.h"

#include <gtest/gtest.h>

#include <vector>

namespace fastvlm {
namespace {

// Two rows of four. The first is won by 2 before 0, by 0.01; the second by 1, by far.
const std::vector<float> kExpected = {0.99f, 0, 1, 0, 0, 5, 0, 1};

std::vector<float> with(std::vector<float> rows, std::size_t at, float value) {
  rows[at] = value;
  return rows;
}

TEST(ChoicesTest, AreTheSameWhereTheSameOneWins) {
  const Choices choices = compare_choices(kExpected, kExpected, std::vector<std::int32_t>{2, 1});
  EXPECT_FALSE(choices.other);
  EXPECT_EQ(describe(choices), "all 2 choices are the same");
}

TEST(ChoicesTest, MayBeOthersWithinTheNoiseOfTheLogits) {
  // The difference is 0.02 in one of eight: three times sqrt(2) of 0.02 / sqrt(8) is 0.03.
  const Choices choices = compare_choices(kExpected, with(kExpected, 0, 1.01f), std::vector<std::int32_t>{0, 1});
  EXPECT_FALSE(choices.other);
  EXPECT_EQ(describe(choices), "1 of 2 choices are the same, 1 between logits no further apart than rounding moves them");
}

TEST(ChoicesTest, AreOthersBeyondIt) {
  const Choices far = compare_choices(kExpected, with(kExpected, 7, 1.02f), std::vector<std::int32_t>{2, 3});
  EXPECT_EQ(far.other, 1);
  EXPECT_EQ(describe(far), "choice 2 of 2 is another one");
  // Without any noise nothing is close.
  EXPECT_EQ(compare_choices(kExpected, kExpected, std::vector<std::int32_t>{0, 1}).other, 0);
  EXPECT_EQ(compare_choices(kExpected, kExpected, std::vector<std::int32_t>{2, 4}).other, 1);
  EXPECT_EQ(compare_choices(kExpected, kExpected, std::vector<std::int32_t>{-1, 1}).other, 0);
}

}  // namespace
}  // namespace fastvlm
