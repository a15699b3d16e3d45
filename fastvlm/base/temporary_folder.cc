#include "fastvlm/base/temporary_folder.h"

#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "fastvlm/base/leftovers.h"

namespace fastvlm {

Result<TemporaryFolder> TemporaryFolder::create() {
  std::error_code failure;
  const Path parent = std::filesystem::temp_directory_path(failure);
  if (failure) return bad_environment("there is no folder for temporary files ({}); set TMPDIR", failure.message());
  return create_in(parent);
}

Result<TemporaryFolder> TemporaryFolder::create_in(const Path& parent) {
  std::error_code failure;
  std::filesystem::create_directories(parent, failure);
  if (failure) return bad_environment("{}: cannot make this folder ({})", parent.string(), failure.message());
  const std::string prefix = ".fastvlm-npu-";
  remove_leftovers(parent, {&prefix, 1});
  std::string name = (parent / fmt::format("{}{}-XXXXXX", prefix, ::getpid())).string();
  if (::mkdtemp(name.data()) == nullptr)
    return bad_environment("{}: cannot write to this folder ({})", parent.string(), std::strerror(errno));
  return TemporaryFolder(name);
}

TemporaryFolder::TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::exchange(other.path_, Path())) {}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace fastvlm
