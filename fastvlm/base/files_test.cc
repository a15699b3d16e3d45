#include "fastvlm/base/files.h"

#include <sys/stat.h>

#include <array>

#include "fastvlm/base/block_buffer.h"
#include "fastvlm/base/folder_for_tests.h"

namespace fastvlm {
namespace {

namespace fs = std::filesystem;

TEST(Files, ReadsAWholeFileUpToItsLimitAndRefusesALargerOne) {
  FolderForTests folder;
  const Path file = folder.write("five.txt", std::string_view("a\0b\nc", 5));
  auto text = read_file(file, 5);
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(*text, std::string_view("a\0b\nc", 5));
  auto refused = read_file(file, 4);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message, file.string() + ": 5 bytes, more than the 4 allowed for such a file");
}

TEST(Files, WhatIsNoRegularFileIsBadInputThatIsNamed) {
  FolderForTests folder;
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  for (const Path& path : {folder / "missing", folder.path(), folder / "pipe", Path("/dev/null"), folder / "missing/file",
                           folder.write("file", "") / "below"}) {
    auto read = read_file(path, 100);
    auto mapped = MappedFile::open(path);
    ASSERT_FALSE(read.ok()) << path;
    ASSERT_FALSE(mapped.ok()) << path;
    EXPECT_EQ(read.error().kind, ErrorKind::kBadInput) << path;
    EXPECT_TRUE(read.error().message.starts_with(path.string() + ":")) << read.error().message;
  }
}

TEST(Files, AReadBehindTheEndNamesTheByteWhereTheFileEnds) {
  FolderForTests folder;
  auto file = InputFile::open(folder.write("ten", "0123456789"));
  ASSERT_TRUE(file.ok());
  std::array<std::byte, 4> bytes{};
  EXPECT_TRUE(file->read_at(6, bytes).ok());
  EXPECT_EQ(static_cast<char>(bytes[3]), '9');
  Status status = file->read_at(8, bytes);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message, (folder / "ten").string() + ": the file ends at byte 10, more was expected");
  EXPECT_TRUE(file->read_at(10, {}).ok());
}

TEST(Files, AFileThatShrinksWhileOpenIsAnErrorAndNoSignal) {
  FolderForTests folder;
  const Path path = folder.write("shrinks", std::string(8192, 'x'));
  auto file = InputFile::open(path);
  ASSERT_TRUE(file.ok());
  fs::resize_file(path, 100);
  std::vector<std::byte> bytes(file->size());
  Status status = file->read_at(0, bytes);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind, ErrorKind::kBadInput);
}

TEST(Files, AMapShowsTheBytesAndAnEmptyFileIsAnEmptyMap) {
  FolderForTests folder;
  auto map = MappedFile::open(folder.write("abc", "abc"));
  ASSERT_TRUE(map.ok());
  MappedFile moved = std::move(*map);
  ASSERT_EQ(moved.bytes().size(), 3u);
  EXPECT_EQ(static_cast<char>(moved.bytes()[2]), 'c');
  auto empty = MappedFile::open(folder.write("empty", ""));
  ASSERT_TRUE(empty.ok());
  EXPECT_TRUE(empty->bytes().empty());
}

TEST(Files, OutputAtPositionsFillsTheReservedFile) {
  FolderForTests folder;
  auto file = OutputFile::create(folder / "out", 8);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(fs::file_size(folder / "out"), 8u);
  EXPECT_TRUE(file->write_at(5, as_bytes("end")).ok());
  EXPECT_TRUE(file->write_at(0, as_bytes("begin")).ok());
  EXPECT_TRUE(file->close().ok());
  EXPECT_EQ(folder.read("out"), "beginend");
}

TEST(Files, WritesPastTheCacheMixWithThoseThatAreNoWholeBlocks) {
  FolderForTests folder;
  const std::string text = [] {
    std::string made(5 * kDiskBlock + 100, ' ');
    for (std::size_t i = 0; i < made.size(); ++i) made[i] = static_cast<char>('a' + i % 23);
    return made;
  }();
  auto file = OutputFile::create(folder / "out", text.size(), PageCache::kBypass);
  ASSERT_TRUE(file.ok());
  BlockBuffer buffer;
  // Aligned with a tail, an odd offset, and blocks again; the pieces meet and do not overlap.
  for (auto [begin, end] : {std::pair{std::size_t{0}, kDiskBlock + 7}, {kDiskBlock + 7, 3 * kDiskBlock}, {3 * kDiskBlock, text.size()}}) {
    const std::span<std::byte> bytes = buffer.bytes(end - begin);
    std::ranges::copy(as_bytes(text).subspan(begin, end - begin), bytes.begin());
    EXPECT_TRUE(file->write_at(begin, bytes).ok());
  }
  EXPECT_TRUE(file->close().ok());
  EXPECT_EQ(folder.read("out"), text);
}

TEST(Files, AnOutputThatDoesNotFitTheDiskIsAnErrorOfTheEnvironment) {
  FolderForTests folder;
  auto file = OutputFile::create(folder / "huge", std::uint64_t{1} << 62);
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.error().kind, ErrorKind::kEnvironment);
  EXPECT_TRUE(file.error().message.starts_with((folder / "huge").string()));
}

TEST(Files, AFullDiskShowsAtTheWrite) {
  auto file = OutputFile::create("/dev/full", 0);
  ASSERT_TRUE(file.ok());
  Status status = file->write_at(0, as_bytes("x"));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind, ErrorKind::kEnvironment);
  EXPECT_TRUE(status.error().message.starts_with("/dev/full:")) << status.error().message;
}

TEST(Files, AnAtomicWriteReplacesTheWholeFileAndLeavesNothingBeside) {
  FolderForTests folder;
  folder.write("config.json", "the old and longer text");
  ASSERT_TRUE(write_file_atomically(folder / "config.json", "new").ok());
  EXPECT_EQ(folder.read("config.json"), "new");
  EXPECT_EQ(folder.names(), (std::set<std::string>{"config.json"}));
}

TEST(Files, AnAtomicWriteThatFailsLeavesTheOldFileAndNoTemporary) {
  FolderForTests folder;
  // A file cannot be renamed over a folder: the last step fails after the bytes were written.
  folder.write("target/old.txt", "old");
  Status status = write_file_atomically(folder / "target", "new");
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind, ErrorKind::kEnvironment);
  EXPECT_EQ(folder.read("target/old.txt"), "old");
  EXPECT_EQ(folder.names(), (std::set<std::string>{"target"}));
  EXPECT_FALSE(write_file_atomically(folder / "no/such/folder/file", "new").ok());
}

TEST(Files, FreeSpaceIsAskedOfTheNearestFolderThatExists) {
  FolderForTests folder;
  auto here = free_bytes(folder.path());
  auto below = free_bytes(folder / "not/yet/made");
  ASSERT_TRUE(here.ok());
  ASSERT_TRUE(below.ok());
  EXPECT_GT(*below, 0u);
}

}  // namespace
}  // namespace fastvlm
