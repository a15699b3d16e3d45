#include "fastvlm/base/staged_folder.h"

#include <sys/wait.h>

#include "fastvlm/base/folder_for_tests.h"

namespace fastvlm {
namespace {

namespace fs = std::filesystem;
using Names = std::set<std::string>;

void write(const Path& file, std::string_view text) { ASSERT_TRUE(write_file_atomically(file, text).ok()); }

StageOptions replacing(bool force = true) {
  return {.force = force, .may_replace = [](const Path& path) { return fs::exists(path / "manifest.json"); }, .replaceable = "an export"};
}

// The number of a process that has ended.
std::string dead_process() {
  const pid_t process = ::fork();
  if (process == 0) ::_exit(0);
  ::waitpid(process, nullptr, 0);
  return std::to_string(process);
}

TEST(StagedFolder, TheTargetAppearsWithTheCommitAndNotBefore) {
  FolderForTests folder;
  auto staged = StagedFolder::create(folder / "deep/out", {});
  ASSERT_TRUE(staged.ok()) << staged.error().message;
  write(staged->path() / "a.txt", "a");
  EXPECT_FALSE(fs::exists(folder / "deep/out"));
  ASSERT_TRUE(staged->commit().ok());
  EXPECT_EQ(folder.read("deep/out/a.txt"), "a");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder / "deep"), fs::directory_iterator()), 1);
}

TEST(StagedFolder, WhatIsNotCommittedGoesAndTheOldStays) {
  FolderForTests folder;
  folder.write("out/manifest.json", "old");
  {
    auto staged = StagedFolder::create(folder / "out", replacing());
    ASSERT_TRUE(staged.ok());
    write(staged->path() / "manifest.json", "new");
    StagedFolder moved = std::move(*staged);
    EXPECT_TRUE(fs::exists(moved.path() / "manifest.json"));
  }
  EXPECT_EQ(folder.names(), (Names{"out"}));
  EXPECT_EQ(folder.read("out/manifest.json"), "old");
}

TEST(StagedFolder, ParentsMadeForItGoWithItAndOthersStay) {
  FolderForTests folder;
  fs::create_directories(folder / "there");
  ASSERT_TRUE(StagedFolder::create(folder / "there/new/deep/out", {}).ok());
  EXPECT_EQ(folder.names(), (Names{"there"}));
  EXPECT_TRUE(fs::is_empty(folder / "there"));
}

TEST(StagedFolder, ForceReplacesTheWholeOldFolder) {
  FolderForTests folder;
  folder.write("out/manifest.json", "old");
  folder.write("out/only_in_old.bin", "old");
  auto staged = StagedFolder::create(folder / "out", replacing());
  ASSERT_TRUE(staged.ok());
  write(staged->path() / "manifest.json", "new");
  EXPECT_EQ(folder.read("out/manifest.json"), "old") << "the old folder stands until the commit";
  ASSERT_TRUE(staged->commit().ok());
  EXPECT_EQ(folder.read("out/manifest.json"), "new");
  EXPECT_FALSE(fs::exists(folder / "out/only_in_old.bin"));
  EXPECT_EQ(folder.names(), (Names{"out"}));
}

TEST(StagedFolder, TheLaterOfTwoRunsDoesNotReplaceTheFirstUnlessForced) {
  FolderForTests folder;
  for (const bool force : {false, true}) {
    const Path target = folder / (force ? "forced" : "out");
    auto first = StagedFolder::create(target, replacing(force)), second = StagedFolder::create(target, replacing(force));
    ASSERT_TRUE(first.ok() && second.ok());
    EXPECT_NE(first->path(), second->path());
    write(first->path() / "manifest.json", "first");
    write(second->path() / "manifest.json", "second");
    ASSERT_TRUE(first->commit().ok());
    const Status late = second->commit();
    EXPECT_EQ(late.ok(), force);
    if (!force) {
      EXPECT_NE(late.error().message.find("exists already and is not empty"), std::string::npos) << late.error().message;
    }
    auto text = read_file(target / "manifest.json", 100);
    EXPECT_EQ(text.value(), force ? "second" : "first");
  }
  EXPECT_EQ(folder.names(), (Names{"out", "forced"}));
}

TEST(StagedFolder, RefusesWhatItMustNotReplace) {
  FolderForTests folder;
  folder.write("file", "");
  folder.write("foreign/letter.txt", "dear");
  folder.write("ours/manifest.json", "{}");
  fs::create_directories(folder / "empty");
  struct Case {
    const char* target;
    bool force;
    const char* refusal;  // "" means accepted
  };
  const Case cases[] = {
      {"file", false, "exists and is not a folder"},
      {"file", true, "exists and is not a folder"},
      {"foreign", false, "exists already and is not empty"},
      {"foreign", true, "`force` replaces only an export, which this folder is not"},
      {"ours", false, "exists already and is not empty"},
      {"ours", true, ""},
      {"empty", false, ""},
      {"new", false, ""},
      {"new/", true, ""},
  };
  for (const Case& c : cases) {
    const Path target = folder.path() / c.target;
    Status status = check_target(target, replacing(c.force));
    auto staged = StagedFolder::create(target, replacing(c.force));
    EXPECT_EQ(status.ok(), *c.refusal == '\0') << c.target;
    EXPECT_EQ(staged.ok(), status.ok()) << c.target;
    if (status.ok()) continue;
    EXPECT_EQ(status.error().kind, ErrorKind::kUsage);
    EXPECT_TRUE(status.error().message.starts_with(target.string() + ": ")) << status.error().message;
    EXPECT_NE(status.error().message.find(c.refusal), std::string::npos) << status.error().message;
  }
  EXPECT_EQ(folder.names(), (Names{"file", "foreign", "ours", "empty"}));
  EXPECT_EQ(folder.read("foreign/letter.txt"), "dear");
  EXPECT_FALSE(check_target("", {}).ok());
}

TEST(StagedFolder, RemovesWhatKilledRunsLeftAndNothingElse) {
  FolderForTests folder;
  const std::string dead = dead_process();
  folder.write(".out.partial-" + dead + "/half.onnx", "half");
  folder.write(".out.partial-1/alive.onnx", "process 1 always runs");
  folder.write(".out.partial-x/strange.onnx", "no process");
  folder.write(".other.partial-" + dead + "/half.onnx", "of another target");
  ASSERT_TRUE(StagedFolder::create(folder / "out", {}).ok());
  EXPECT_EQ(folder.names(), (Names{".out.partial-1", ".out.partial-x", ".other.partial-" + dead}));
}

TEST(StagedFolder, AnOldFolderMovedAsideByAKilledRunGoesOnlyWhenANewOneStands) {
  FolderForTests folder;
  const std::string aside = ".out.replaced-" + dead_process();
  folder.write(aside + "/manifest.json", "{}");
  ASSERT_TRUE(StagedFolder::create(folder / "out", {}).ok());
  EXPECT_EQ(folder.names(), (Names{aside})) << "it is the only copy";
  folder.write("out/manifest.json", "{}");
  ASSERT_TRUE(StagedFolder::create(folder / "out", replacing()).ok());
  EXPECT_EQ(folder.names(), (Names{"out"}));
}

TEST(StagedFolder, ALinkToAFolderIsFollowed) {
  FolderForTests folder;
  fs::create_directories(folder / "real");
  fs::create_directory_symlink(folder / "real", folder / "link");
  auto staged = StagedFolder::create(folder / "link", {});
  ASSERT_TRUE(staged.ok());
  write(staged->path() / "a.txt", "a");
  ASSERT_TRUE(staged->commit().ok());
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(folder.read("real/a.txt"), "a");
}

TEST(StagedFolder, APlaceWhereNothingCanBeMadeIsAnErrorOfTheEnvironment) {
  FolderForTests folder;
  folder.write("file", "");
  for (const Path& target : {folder / "file/out", Path("/proc/fastvlm/out")}) {
    auto staged = StagedFolder::create(target, {});
    ASSERT_FALSE(staged.ok()) << target;
    EXPECT_EQ(staged.error().kind, ErrorKind::kEnvironment) << staged.error().message;
  }
}

}  // namespace
}  // namespace fastvlm
