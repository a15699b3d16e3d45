#include "fastvlm/base/disk_space.h"

#include <gtest/gtest.h>

#include "fastvlm/base/folder_for_tests.h"

namespace fastvlm {
namespace {

TEST(FreeSpace, AnErrorTellsBothSizesInUnitsThatFit) {
  FolderForTests folder;
  EXPECT_TRUE(check_free_space(folder.path(), 1, "the test").ok());
  const Status never = check_free_space(folder.path(), std::uint64_t{1} << 62, "the test");
  ASSERT_FALSE(never.ok());
  EXPECT_EQ(never.error().kind, ErrorKind::kEnvironment);
  EXPECT_NE(never.error().message.find("the test needs 4611686.0 TB"), std::string::npos) << never.error().message;
}

TEST(HumanBytes, TakesTheUnitThatFits) {
  EXPECT_EQ(human_bytes(999), "999 B");
  EXPECT_EQ(human_bytes(1500), "1.5 kB");
  EXPECT_EQ(human_bytes(999'949'999), "999.9 MB");
  EXPECT_EQ(human_bytes(999'950'001), "1.0 GB");
}

}  // namespace
}  // namespace fastvlm
