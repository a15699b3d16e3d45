#include "fastvlm/base/temporary_folder.h"

#include <sys/wait.h>
#include <unistd.h>

#include "fastvlm/base/folder_for_tests.h"

namespace fastvlm {
namespace {

namespace fs = std::filesystem;

TEST(TemporaryFolder, IsGoneWithTheObject) {
  FolderForTests folder;
  {
    auto temporary = TemporaryFolder::create_in(folder / "deep");
    ASSERT_TRUE(temporary.ok()) << temporary.error().message;
    ASSERT_TRUE(write_file_atomically(temporary->path() / "a.txt", "a").ok());
    EXPECT_FALSE(fs::is_empty(folder / "deep"));
  }
  EXPECT_TRUE(fs::is_empty(folder / "deep"));
}

TEST(TemporaryFolder, OfAKilledRunIsRemovedByTheNextAndOthersStay) {
  FolderForTests folder;
  const pid_t killed = ::fork();
  if (killed == 0) {
    auto temporary = TemporaryFolder::create_in(folder.path());
    ::_exit(temporary.ok() && write_file_atomically(temporary->path() / "a.txt", "a").ok() ? 0 : 1);
  }
  int status = -1;
  ::waitpid(killed, &status, 0);
  ASSERT_EQ(status, 0);
  ASSERT_EQ(folder.names().size(), 1u);
  folder.write(".fastvlm-npu-XyZabc/of-an-older-version.txt", "b");
  const auto mine = TemporaryFolder::create_in(folder.path()), other = TemporaryFolder::create_in(folder.path());
  ASSERT_TRUE(mine.ok() && other.ok());
  EXPECT_EQ(folder.names(),
            (std::set<std::string>{".fastvlm-npu-XyZabc", mine->path().filename().string(), other->path().filename().string()}));
}

}  // namespace
}  // namespace fastvlm
