#include "fastvlm/base/disk_space.h"

#include "fastvlm/base/try.h"

namespace fastvlm {

Status check_free_space(const Path& folder, std::uint64_t bytes, std::string_view what) {
  TRY_ASSIGN(const std::uint64_t free, free_bytes(folder));
  if (free >= bytes) return {};
  return bad_environment("{}: {} needs {}, but only {} are free on that disk; free some space or name a folder on another", folder.string(),
                         what, human_bytes(bytes), human_bytes(free));
}

std::string human_bytes(std::uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  const char* units[] = {"kB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  while (value >= 999.95 && unit < 3) value /= 1000, ++unit;
  return fmt::format("{:.1f} {}", value, units[unit]);
}

}  // namespace fastvlm
