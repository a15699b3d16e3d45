#include "fastvlm/base/staged_folder.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>
#include <vector>

#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

namespace fs = std::filesystem;

// Symbolic links and a trailing slash resolved, so that the sibling lies beside the real folder.
Path normalised(const Path& target) {
  std::error_code ignored;
  Path path = fs::weakly_canonical(fs::absolute(target, ignored), ignored);
  return path.has_filename() ? path : path.parent_path();
}

std::string staging_prefix(const Path& target) { return "." + target.filename().string() + ".partial-"; }
std::string replaced_prefix(const Path& target) { return "." + target.filename().string() + ".replaced-"; }

bool is_running(std::string process) {
  process.resize(std::min(process.size(), process.find('-')));
  if (process.empty() || process.size() > 9 || process.find_first_not_of("0123456789") != std::string::npos) return true;
  return ::kill(std::stoi(process), 0) == 0 || errno != ESRCH;
}

// "<process>" or "<process>-<count>": two stages of one process must not share a folder either.
std::string own_suffix() {
  static std::atomic<unsigned> counter{0};
  const unsigned count = counter++;
  return count == 0 ? std::to_string(::getpid()) : fmt::format("{}-{}", ::getpid(), count);
}

// Leftovers of killed runs: siblings named after a process that is gone. An old folder that was moved aside stays for the
// user as long as nothing stands in its place.
void remove_leftovers(const Path& target) {
  std::error_code ignored;
  std::vector<std::string> prefixes = {staging_prefix(target)};
  if (fs::exists(target, ignored)) prefixes.push_back(replaced_prefix(target));
  std::vector<Path> stale;
  for (const auto& entry : fs::directory_iterator(target.parent_path(), ignored)) {
    const std::string name = entry.path().filename().string();
    for (const std::string& prefix : prefixes)
      if (name.starts_with(prefix) && !is_running(name.substr(prefix.size()))) stale.push_back(entry.path());
  }
  for (const Path& path : stale) fs::remove_all(path, ignored);
}

Error cannot(const Path& path, const char* what, const std::error_code& failure) {
  return bad_environment("{}: cannot {} ({})", path.string(), what, failure.message());
}

// Without an exchange (nothing stands there yet, or the file system has none): the old folder is moved aside first.
Status move_in_place(const Path& staging, const Path& target) {
  std::error_code failure;
  Path old;
  if (fs::exists(target, failure)) {
    old = target.parent_path() / (replaced_prefix(target) + std::to_string(::getpid()));
    fs::rename(target, old, failure);
    if (failure) return cannot(target, "move the old folder aside", failure);
  }
  fs::rename(staging, target, failure);
  if (failure) {
    std::error_code ignored;
    if (!old.empty()) fs::rename(old, target, ignored);
    return cannot(target, "put the finished folder in place", failure);
  }
  if (!old.empty()) fs::remove_all(old, failure);
  return {};
}

}  // namespace

Status check_target(const Path& target, const StageOptions& options) {
  std::error_code failure;
  if (target.empty()) return bad_usage("the output folder has an empty name");
  if (!fs::exists(target, failure)) return {};
  if (!fs::is_directory(target, failure)) return bad_usage("{}: exists and is not a folder; choose another output folder", target.string());
  if (fs::is_empty(target, failure) && !failure) return {};
  if (failure) return cannot(target, "read the output folder", failure);
  if (!options.force)
    return bad_usage("{}: exists already and is not empty; choose another folder or say `force` to replace it", target.string());
  if (!options.may_replace || options.may_replace(target)) return {};
  return bad_usage("{}: `force` replaces only {}, which this folder is not; choose another one", target.string(), options.replaceable);
}

Result<StagedFolder> StagedFolder::create(const Path& target, const StageOptions& options) {
  TRY(check_target(target, options));
  const Path path = normalised(target);
  StagedFolder folder(path, path.parent_path() / (staging_prefix(path) + own_suffix()), options);
  std::error_code failure;
  for (Path parent = path.parent_path(); !fs::exists(parent, failure) && parent.has_relative_path(); parent = parent.parent_path())
    folder.made_parents_.push_back(parent);
  fs::create_directories(path.parent_path(), failure);
  if (failure) return cannot(path.parent_path(), "make the folder", failure);
  remove_leftovers(path);
  fs::remove_all(folder.staging_, failure);
  fs::create_directory(folder.staging_, failure);
  if (failure) return cannot(path.parent_path(), "write into the folder", failure);
  return folder;
}

StagedFolder::StagedFolder(StagedFolder&& other) noexcept
    : target_(std::move(other.target_)),
      staging_(std::exchange(other.staging_, {})),
      options_(std::move(other.options_)),
      made_parents_(std::exchange(other.made_parents_, {})) {}

StagedFolder::~StagedFolder() {
  std::error_code ignored;
  if (!staging_.empty()) fs::remove_all(staging_, ignored);
  // Only removes empty ones.
  for (const Path& parent : made_parents_) fs::remove(parent, ignored);
}

Status StagedFolder::commit() {
  TRY(check_target(target_, options_));
  // Where nothing may be replaced, nothing can come between the look and the move.
  const bool moved = !options_.force && ::renameat2(AT_FDCWD, staging_.c_str(), AT_FDCWD, target_.c_str(), RENAME_NOREPLACE) == 0;
  if (!moved) TRY(replace());
  staging_.clear();
  made_parents_.clear();
  return {};
}

Status StagedFolder::replace() {
  TRY(check_target(target_, options_));
  std::error_code ignored;
  if (::renameat2(AT_FDCWD, staging_.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) == 0)
    fs::remove_all(staging_, ignored);  // the hidden name is now that of the old folder
  else
    TRY(move_in_place(staging_, target_));
  return {};
}

}  // namespace fastvlm
