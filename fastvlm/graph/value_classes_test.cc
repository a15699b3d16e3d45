#include "fastvlm/graph/value_classes.h"

#include <gtest/gtest.h>

namespace fastvlm {
namespace {

TEST(ValueClasses, AreNamedAfterTheirFirstValueInWhateverOrderTheyGrow) {
  ValueClasses classes(7);
  classes.unite(5, 6);
  classes.unite(3, 5);
  classes.unite(2, 4);
  EXPECT_EQ(classes.of(6), 3);
  EXPECT_EQ(classes.of(4), 2);
  EXPECT_EQ(classes.of(1), 1);
  classes.unite(6, 4);
  classes.unite(6, 6);
  for (int value : {2, 3, 4, 5, 6}) EXPECT_EQ(classes.of(value), 2) << value;
  EXPECT_EQ(classes.of(0), 0);
  EXPECT_EQ(classes.of(1), 1);
}

}  // namespace
}  // namespace fastvlm
