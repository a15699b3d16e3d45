#include "fastvlm/base/machine_memory.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

namespace fastvlm {
namespace {

// Files of the kernel have no size beforehand.
std::string text_of(const Path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// The number behind "<key>" at the start of a line; with an empty key the first word of the text. "max" is none.
std::optional<std::uint64_t> number_at(const std::string& text, std::string_view key) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(key)) continue;
    const std::size_t begin = line.find_first_not_of(" \t", key.size());
    if (begin == std::string::npos) return std::nullopt;
    std::uint64_t number = 0;
    const auto end = std::from_chars(line.data() + begin, line.data() + line.size(), number);
    return end.ec == std::errc() ? std::optional(number) : std::nullopt;
  }
  return std::nullopt;
}

// The files of a version of control groups.
struct GroupFiles {
  const char* limit;
  const char* usage;
  const char* cache;  // key in memory.stat
};
constexpr GroupFiles kVersion1 = {"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "};
constexpr GroupFiles kVersion2 = {"memory.max", "memory.current", "inactive_file "};

// What a group and those around it leave.
std::uint64_t left_in_group(const Path& root, Path group, const GroupFiles& files) {
  std::uint64_t left = UINT64_MAX;
  for (;; group = group.parent_path()) {
    const Path folder = root / group.relative_path();
    const auto limit = number_at(text_of(folder / files.limit), "");
    if (limit) {
      const std::uint64_t used = number_at(text_of(folder / files.usage), "").value_or(0);
      const std::uint64_t cache = number_at(text_of(folder / "memory.stat"), files.cache).value_or(0);
      const std::uint64_t held = used - std::min(used, cache);
      left = std::min(left, *limit - std::min(*limit, held));
    }
    if (group.relative_path().empty()) return left;
  }
}

}  // namespace

std::uint64_t available_memory(const MemorySources& sources) {
  std::uint64_t left = UINT64_MAX;
  if (const auto kilobytes = number_at(text_of(sources.meminfo), "MemAvailable:")) left = *kilobytes * 1024;
  // "<number>:<controllers>:<group>"; version 2 has no controllers.
  std::istringstream lines(text_of(sources.groups));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':'), second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const Path group = line.substr(second + 1);
    if (controllers == ",,") left = std::min(left, left_in_group(sources.group_root, group, kVersion2));
    if (controllers.find(",memory,") != std::string::npos)
      left = std::min(left, left_in_group(sources.group_root / "memory", group, kVersion1));
  }
  return left;
}

}  // namespace fastvlm
