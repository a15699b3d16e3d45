// An output folder that appears whole or not at all: everything is written into a hidden sibling, which is renamed at the
// end. What a killed run leaves is that sibling, never a folder that looks finished; the next run removes it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "fastvlm/base/files.h"

namespace fastvlm {

struct StageOptions {
  bool force = false;                              // replace an existing folder,
  std::function<bool(const Path&)> may_replace{};  // but only such a one; nothing: any
  std::string replaceable{};                       // what such a folder is called: "a FastVLM checkpoint"
};

class StagedFolder {
 public:
  // Refuses a target that exists and is not empty, unless the options say that it may be replaced.
  static Result<StagedFolder> create(const Path& target, const StageOptions& options);
  StagedFolder(StagedFolder&& other) noexcept;
  StagedFolder& operator=(StagedFolder&&) = delete;
  // Removes what was not committed, and the parent folders that were made for it.
  ~StagedFolder();

  // Where to write.
  const Path& path() const { return staging_; }
  // Puts the folder in its place. An old one is exchanged with it in one step where the file system can do that, so that
  // there is always one of them; then the old one goes. What came there meanwhile is looked at as at the beginning: another run's
  // result is not replaced unless the options say so.
  Status commit();

 private:
  Status replace();
  StagedFolder(Path target, Path staging, StageOptions options)
      : target_(std::move(target)), staging_(std::move(staging)), options_(std::move(options)) {}
  Path target_;
  Path staging_;
  StageOptions options_;
  std::vector<Path> made_parents_;  // the deepest first
};

// The checks of create() without touching anything, for a plan.
Status check_target(const Path& target, const StageOptions& options);

}  // namespace fastvlm
