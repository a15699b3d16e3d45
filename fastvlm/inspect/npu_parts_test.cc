#include "fastvlm/inspect/npu_parts.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "fastvlm/base/temporary_folder.h"

namespace fastvlm {
namespace {

class NpuPartsTest : public testing::Test {
 protected:
  void put(const Path& name) {
    std::filesystem::create_directories((root() / name).parent_path());
    ASSERT_TRUE(write_file_atomically(root() / name, "").ok());
  }
  const Path& root() const { return folder_.path(); }

  TemporaryFolder folder_ = *TemporaryFolder::create_in(testing::TempDir());
};

TEST_F(NpuPartsTest, AMachineWithoutAnNpuIsToldWhatIsMissing) {
  const auto parts = find_npu_parts(root());
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].name, "libcdsprpc.so");
  EXPECT_EQ(parts[1].name, "device node");
  for (const NpuPart& part : parts) {
    EXPECT_TRUE(part.path.empty());
    EXPECT_NE(part.note, "");
  }
}

TEST_F(NpuPartsTest, FindsTheLibraryAndTheNodeOfABoard) {
  put("usr/lib/libcdsprpc.so");
  put("dev/fastrpc-cdsp");
  const auto parts = find_npu_parts(root());
  EXPECT_EQ(parts[0].path, root() / "usr/lib/libcdsprpc.so");
  EXPECT_EQ(parts[1].path, root() / "dev/fastrpc-cdsp");
  for (const NpuPart& part : parts) EXPECT_EQ(part.note, "");
}

TEST_F(NpuPartsTest, ANumberedLibraryAloneNeedsALink) {
  put("usr/lib/aarch64-linux-gnu/libcdsprpc.so.1");
  const auto parts = find_npu_parts(root());
  EXPECT_EQ(parts[0].path, root() / "usr/lib/aarch64-linux-gnu/libcdsprpc.so.1");
  EXPECT_NE(parts[0].note.find("link"), std::string::npos);
}

}  // namespace
}  // namespace fastvlm
