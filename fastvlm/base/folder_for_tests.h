// A folder of its own for each test, gone when the test ends.
#pragma once

#include <fmt/core.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <set>
#include <string>

#include "fastvlm/base/files.h"

namespace fastvlm {

class FolderForTests {
 public:
  FolderForTests() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    path_ =
        std::filesystem::canonical(testing::TempDir()) / fmt::format("fastvlm-{}-{}-{}", test->test_suite_name(), test->name(), ::getpid());
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~FolderForTests() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  FolderForTests(const FolderForTests&) = delete;
  FolderForTests& operator=(const FolderForTests&) = delete;

  const Path& path() const { return path_; }
  Path operator/(const std::string& name) const { return path_ / name; }

  // A file with these bytes; folders in front of it are made.
  Path write(const std::string& name, std::string_view bytes) const {
    const Path file = path_ / name;
    std::filesystem::create_directories(file.parent_path());
    EXPECT_TRUE(write_file_atomically(file, bytes).ok()) << file;
    return file;
  }
  std::string read(const std::string& name) const {
    auto text = read_file(path_ / name, std::size_t{1} << 30);
    EXPECT_TRUE(text.ok()) << name;
    return text.ok() ? *text : std::string();
  }
  // Names of what lies in it, hidden files too.
  std::set<std::string> names() const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) names.insert(entry.path().filename().string());
    return names;
  }

 private:
  Path path_;
};

}  // namespace fastvlm
