#include "fastvlm/base/json_text.h"

#include <gtest/gtest.h>

namespace fastvlm {
namespace {

TEST(JsonText, IsWhatPeopleRead) {
  EXPECT_EQ(plain_text(Json("7")), "7");
  EXPECT_EQ(plain_text(OrderedJson({1, 2})), "[1,2]");
  EXPECT_EQ(counts_text({{"Add", 3}, {"Conv", 7}, {"Mul", 3}}), "Conv 7, Add 3, Mul 3");
}

TEST(JsonText, OfAFileHasLevelsAndALineFeedAtItsEnd) {
  EXPECT_EQ(json_file_text({{"b", 1}, {"a", nullptr}}), "{\n  \"b\": 1,\n  \"a\": null\n}\n");
}

}  // namespace
}  // namespace fastvlm
