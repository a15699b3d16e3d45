#include "fastvlm/base/reused_file.h"

#include <sys/stat.h>

#include <algorithm>

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/base/parallel.h"

namespace fastvlm {
namespace {

namespace fs = std::filesystem;

std::string pattern(std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>(i * 7 + i / 251);
  return text;
}

ino_t inode(const Path& path) {
  struct stat info{};
  EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
  return info.st_ino;
}

// Writes `text` in pieces beside `old`; how many bytes are the old ones.
std::uint64_t write(const Path& path, const Path& old, const std::string& text, std::size_t piece, unsigned threads = 1) {
  auto file = ReusedFile::create(path, text.size(), old);
  EXPECT_TRUE(file.ok()) << file.error().message;
  const std::size_t pieces = (text.size() + piece - 1) / piece;
  const Status written = parallel_for(pieces, threads, [&](std::size_t i) {
    return (*file)->write_at(i * piece, as_bytes(std::string_view(text).substr(i * piece, piece)));
  });
  EXPECT_TRUE(written.ok()) << written.error().message;
  const Status closed = (*file)->close();
  EXPECT_TRUE(closed.ok()) << closed.error().message;
  return (*file)->reused();
}

TEST(ReusedFile, WhatIsAllTheSameBecomesALink) {
  FolderForTests folder;
  const std::string text = pattern(3'000'000);
  const Path old = folder.write("old", text);
  EXPECT_EQ(write(folder / "new", old, text, 70'001, 3), text.size());
  EXPECT_EQ(inode(folder / "new"), inode(old));
  EXPECT_EQ(folder.read("new"), text);
}

TEST(ReusedFile, OneDifferentByteAnywhereMakesAFileOfItsOwnAndLeavesTheOldOne) {
  FolderForTests folder;
  const std::string text = pattern(2'500'000);
  const Path old = folder.write("old", text);
  for (const std::size_t at : {std::size_t{0}, std::size_t{1'048'576}, text.size() - 1})
    for (const unsigned threads : {1u, 4u}) {
      std::string changed = text;
      changed[at] = static_cast<char>(changed[at] + 1);
      EXPECT_EQ(write(folder / "new", old, changed, 100'000, threads), text.size() - 100'000) << at;
      EXPECT_EQ(folder.read("new"), changed) << at;
      EXPECT_NE(inode(folder / "new"), inode(old));
      EXPECT_EQ(folder.read("old"), text) << at;
    }
}

TEST(ReusedFile, AMissingOldFileOneOfAnotherSizeAndAFolderCountAsNothing) {
  FolderForTests folder;
  const std::string text = pattern(5000);
  fs::create_directory(folder / "folder");
  for (const Path& old : {Path(), folder / "missing", folder.write("longer", text + "x"), folder.write("empty", ""), folder / "folder"}) {
    EXPECT_EQ(write(folder / "new", old, text, 999), 0u) << old;
    EXPECT_EQ(folder.read("new"), text) << old;
    EXPECT_EQ(fs::hard_link_count(folder / "new"), 1u) << old;
  }
}

// A link to a link would break when the folder in between goes.
TEST(ReusedFile, ASymbolicLinkIsFollowed) {
  FolderForTests folder;
  const std::string text = pattern(5000);
  const Path old = folder.write("old", text);
  fs::create_symlink(old, folder / "pointer");
  EXPECT_EQ(write(folder / "new", folder / "pointer", text, 4096), text.size());
  EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(folder / "new")));
  EXPECT_EQ(inode(folder / "new"), inode(old));
}

TEST(ReusedFile, BytesThatNobodyGaveAreZerosWhateverTheOldFileHasThere) {
  FolderForTests folder;
  const Path old = folder.write("old", std::string(300, 'x'));
  auto file = ReusedFile::create(folder / "new", 300, old);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->write_at(100, as_bytes(std::string(100, 'x'))).ok());
  ASSERT_TRUE((*file)->close().ok());
  EXPECT_EQ(folder.read("new"), std::string(100, '\0') + std::string(100, 'x') + std::string(100, '\0'));
  EXPECT_EQ((*file)->reused(), 100u);
}

TEST(ReusedFile, ANameThatIsALinkToTheOldFileAlreadyIsReplaced) {
  FolderForTests folder;
  const std::string text = pattern(5000), other = pattern(5001).substr(1);
  const Path old = folder.write("old", text);
  fs::create_hard_link(old, folder / "new");
  EXPECT_EQ(write(folder / "new", old, other, 5000), 0u);
  EXPECT_EQ(folder.read("new"), other);
  EXPECT_EQ(folder.read("old"), text);
  EXPECT_EQ(write(folder / "new", old, text, 999), text.size());
  EXPECT_EQ(inode(folder / "new"), inode(old));
}

// As after a Ctrl-C: nothing was closed.
TEST(ReusedFile, OneThatIsGivenUpLeavesTheOldFileAlone) {
  FolderForTests folder;
  const std::string text = pattern(5000);
  const Path old = folder.write("old", text);
  {
    auto file = ReusedFile::create(folder / "new", text.size(), old);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE((*file)->write_at(0, as_bytes(text.substr(0, 1000))).ok());
    ASSERT_TRUE((*file)->write_at(1000, as_bytes(std::string(1000, 'x'))).ok());
  }
  EXPECT_EQ(folder.read("old"), text);
  EXPECT_EQ(fs::hard_link_count(old), 1u);
}

TEST(ReusedFile, AnOldFileThatShrinksMeanwhileIsAnError) {
  FolderForTests folder;
  const Path old = folder.write("old", pattern(5000));
  auto file = ReusedFile::create(folder / "new", 5000, old);
  ASSERT_TRUE(file.ok());
  fs::resize_file(old, 10);
  const Status status = (*file)->write_at(0, as_bytes(pattern(5000)));
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message.find("the file ends at byte 10"), std::string::npos) << status.error().message;
}

}  // namespace
}  // namespace fastvlm
