// Folders of layouts that are damaged in one way, for tests of what verify --layout says about them.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/base/json.h"
#include "fastvlm/clients/export_layouts.h"
#include "fastvlm/clients/verify_layout.h"

namespace fastvlm::clients {

// One export for all tests of a program; the folder is gone at its end.
class LayoutsForTests {
 public:
  LayoutsForTests(const char* name, LayoutExportOptions options)
      : path_(std::filesystem::canonical(testing::TempDir()) / fmt::format("fastvlm-{}-{}", name, ::getpid())) {
    options.model.output_dir = path_;
    Progress progress;
    const auto report = export_layouts(options, progress);
    EXPECT_TRUE(report.ok()) << report.error().message;
  }
  ~LayoutsForTests() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  LayoutsForTests(const LayoutsForTests&) = delete;
  LayoutsForTests& operator=(const LayoutsForTests&) = delete;

  const Path& path() const { return path_; }

 private:
  Path path_;
};

inline std::string bytes_of(const Path& file) { return read_file(file, std::size_t{64} << 20).value(); }
inline void replace_bytes(const Path& file, const std::string& bytes) { ASSERT_TRUE(write_file_atomically(file, bytes).ok()); }

// The member at a JSON pointer gets another value.
inline void edit(const Path& file, const std::string& pointer, const Json& value) {
  Json json = Json::parse(bytes_of(file));
  json.at(Json::json_pointer(pointer)) = value;
  replace_bytes(file, json.dump());
}

// A member that was not there.
inline void add(const Path& file, const std::string& pointer, const Json& value) {
  Json json = Json::parse(bytes_of(file));
  ASSERT_FALSE(json.contains(Json::json_pointer(pointer))) << pointer;
  json[Json::json_pointer(pointer)] = value;
  replace_bytes(file, json.dump());
}

struct Damage {
  const char* layout;
  std::function<void(const Path& folder)> apply;
  const char* subject;
  const char* sentence;  // part of it
};

inline void expect_all_pass(const Path& folder, const std::vector<std::string>& layouts, const ContextQuestion& reader = {}) {
  const auto report = verify_layouts(folder, layouts, reader);
  ASSERT_TRUE(report.ok()) << report.error().message;
  for (const VerifyRow& row : report->rows) EXPECT_EQ(row.outcome, Outcome::kPassed) << row.subject << ": " << row.sentence;
}

// Each in a copy of the folder.
inline void expect_each_is_named(const Path& exported, std::span<const Damage> damages, const ContextQuestion& reader = {}) {
  for (const Damage& damage : damages) {
    const FolderForTests folder;
    const Path copy = folder.path() / "copy";
    std::filesystem::copy(exported, copy, std::filesystem::copy_options::recursive);
    damage.apply(copy);
    const auto report = verify_layouts(copy, {damage.layout}, reader);
    ASSERT_TRUE(report.ok()) << report.error().message;
    EXPECT_FALSE(report->passed());
    std::vector<std::string> said;
    for (const VerifyRow& row : report->rows)
      if (row.outcome == Outcome::kMissed && row.subject == damage.subject) said.push_back(row.sentence);
    ASSERT_FALSE(said.empty()) << damage.layout << ", " << damage.subject << ", " << damage.sentence;
    EXPECT_NE(said.front().find(damage.sentence), std::string::npos) << said.front();
  }
}

}  // namespace fastvlm::clients
