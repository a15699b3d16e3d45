#include "fastvlm/base/shard.h"

#include <gtest/gtest.h>

namespace fastvlm {
namespace {

TEST(Shard, PartsFollowEachOtherAndDifferByOneAtMost) {
  for (std::size_t total : {0, 1, 6, 7, 8, 200, 10'000}) {
    for (std::size_t count : {1, 2, 3, 7, 1'000}) {
      std::size_t at = 0;
      for (std::size_t index = 1; index <= count; ++index) {
        const Shard shard{.index = index, .count = count};
        EXPECT_EQ(shard.begin(total), at);
        at = shard.end(total);
        const std::size_t size = at - shard.begin(total);
        EXPECT_TRUE(size == total / count || size == total / count + 1) << total << " " << to_string(shard);
      }
      EXPECT_EQ(at, total);
    }
  }
}

TEST(Shard, IsWrittenAsItIsRead) {
  EXPECT_EQ(to_string(parse_shard("2/7").value()), "2/7");
  EXPECT_TRUE(parse_shard("1/1")->is_whole());
  for (const char* wrong : {"", "2", "/", "0/3", "4/3", "1/0", "-1/3", "1/3 ", "a/b", "1/100001", "1/99999999999999999999", "1/2/3"})
    EXPECT_FALSE(parse_shard(wrong).ok()) << wrong;
}

}  // namespace
}  // namespace fastvlm
