// An output folder that appears whole or not at all: everything is written into a hidden sibling, which is renamed at the
// end. What a killed run leaves is that sibling, never a folder that looks finished; the next run removes it.
#pragma once

#include "fastvlm/base/files.h"

namespace fastvlm {

struct StageOptions {
  bool force = false;               // replace an existing folder
  const char* marker = "manifest.json";  // only a folder that holds this file may be replaced
};

class StagedFolder {
 public:
  // Refuses a target that exists and is not empty, unless `force` and the marker say that it may be replaced.
  static Result<StagedFolder> create(const Path& target, const StageOptions& options);
  StagedFolder(StagedFolder&& other) noexcept;
  StagedFolder& operator=(StagedFolder&&) = delete;
  // Removes what was not committed.
  ~StagedFolder();

  // Where to write.
  const Path& path() const { return staging_; }
  // Puts the folder in its place; the old one goes only after the new one is complete.
  Status commit();

 private:
  StagedFolder(Path target, Path staging) : target_(std::move(target)), staging_(std::move(staging)) {}
  Path target_;
  Path staging_;
};

// The checks of create() without touching anything, for a plan.
Status check_target(const Path& target, const StageOptions& options);

}  // namespace fastvlm
