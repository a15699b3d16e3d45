#include "fastvlm/bundle/staged_folder.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

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

bool is_running(const std::string& process) {
  if (process.empty() || process.size() > 9 || process.find_first_not_of("0123456789") != std::string::npos) return true;
  return ::kill(std::stoi(process), 0) == 0 || errno != ESRCH;
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

}  // namespace

Status check_target(const Path& target, const StageOptions& options) {
  std::error_code failure;
  if (target.empty()) return bad_usage("the output folder has an empty name");
  if (!fs::exists(target, failure)) return {};
  if (!fs::is_directory(target, failure)) return bad_usage("{}: exists and is not a folder; choose another output folder", target.string());
  if (fs::is_empty(target, failure) && !failure) return {};
  if (failure) return cannot(target, "read the output folder", failure);
  if (!options.force) return bad_usage("{}: exists already and is not empty; choose another folder or say --force to replace it", target.string());
  if (!fs::exists(target / options.marker, failure))
    return bad_usage("{}: --force replaces only a folder written by this program, and there is no {} in it", target.string(), options.marker);
  return {};
}

Result<StagedFolder> StagedFolder::create(const Path& target, const StageOptions& options) {
  TRY(check_target(target, options));
  const Path path = normalised(target);
  std::error_code failure;
  fs::create_directories(path.parent_path(), failure);
  if (failure) return cannot(path.parent_path(), "make the folder", failure);
  remove_leftovers(path);
  Path staging = path.parent_path() / (staging_prefix(path) + std::to_string(::getpid()));
  fs::remove_all(staging, failure);
  fs::create_directory(staging, failure);
  if (failure) return cannot(path.parent_path(), "write into the folder", failure);
  return StagedFolder(path, staging);
}

StagedFolder::StagedFolder(StagedFolder&& other) noexcept
    : target_(std::move(other.target_)), staging_(std::exchange(other.staging_, Path())) {}

StagedFolder::~StagedFolder() {
  std::error_code ignored;
  if (!staging_.empty()) fs::remove_all(staging_, ignored);
}

Status StagedFolder::commit() {
  std::error_code failure;
  Path old;
  if (fs::exists(target_, failure)) {
    old = target_.parent_path() / (replaced_prefix(target_) + std::to_string(::getpid()));
    fs::rename(target_, old, failure);
    if (failure) return cannot(target_, "move the old folder aside", failure);
  }
  fs::rename(staging_, target_, failure);
  if (failure) {
    std::error_code ignored;
    if (!old.empty()) fs::rename(old, target_, ignored);
    return cannot(target_, "put the finished folder in place", failure);
  }
  staging_.clear();
  if (!old.empty()) fs::remove_all(old, failure);
  return {};
}

}  // namespace fastvlm
