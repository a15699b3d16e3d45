// A folder with a name of its own, gone with the object. What a killed run leaves is removed by the next one.
#pragma once

#include "fastvlm/base/files.h"

namespace fastvlm {

class TemporaryFolder {
 public:
  static Result<TemporaryFolder> create();                       // below the system's temporary folder
  static Result<TemporaryFolder> create_in(const Path& parent);  // which is made
  TemporaryFolder(TemporaryFolder&& other) noexcept;
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;
  ~TemporaryFolder();

  const Path& path() const { return path_; }

 private:
  explicit TemporaryFolder(Path path) : path_(std::move(path)) {}
  Path path_;
};

}  // namespace fastvlm
