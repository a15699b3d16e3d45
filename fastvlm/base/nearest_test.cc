#include "fastvlm/base/nearest.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace fastvlm {
namespace {

TEST(EditDistance, CountsLettersToAddDropOrChange) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("abc", ""), 3u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("exprot", "export"), 2u);
}

TEST(NearestOf, TakesTheFirstOfTheNearestAndBearsLongWords) {
  constexpr std::array<std::string_view, 3> kWords = {"export", "inspect", "insect"};
  EXPECT_EQ(nearest_of("exprot", kWords), "export");
  EXPECT_EQ(nearest_of("inspect", kWords), "inspect");
  EXPECT_EQ(nearest_of(std::string(1 << 20, 'x'), kWords), "export");
}

}  // namespace
}  // namespace fastvlm
