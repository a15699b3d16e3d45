#include "fastvlm/base/leftovers.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <vector>

#include "fastvlm/base/result.h"

namespace fastvlm {
namespace {

namespace fs = std::filesystem;

bool is_running(std::string process) {
  process.resize(std::min(process.size(), process.find('-')));
  if (process.empty() || process.size() > 9 || process.find_first_not_of("0123456789") != std::string::npos) return true;
  return ::kill(std::stoi(process), 0) == 0 || errno != ESRCH;
}

}  // namespace

std::string process_suffix() {
  static std::atomic<unsigned> counter{0};
  const unsigned count = counter++;
  return count == 0 ? std::to_string(::getpid()) : fmt::format("{}-{}", ::getpid(), count);
}

void remove_leftovers(const Path& parent, std::span<const std::string> prefixes) {
  std::error_code ignored;
  std::vector<Path> stale;
  for (fs::directory_iterator entry(parent, ignored), end; !ignored && entry != end; entry.increment(ignored)) {
    const std::string name = entry->path().filename().string();
    for (const std::string& prefix : prefixes)
      if (name.starts_with(prefix) && !is_running(name.substr(prefix.size()))) stale.push_back(entry->path());
  }
  for (const Path& path : stale) fs::remove_all(path, ignored);
}

}  // namespace fastvlm
