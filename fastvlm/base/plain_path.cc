#include "fastvlm/base/plain_path.h"

#include <algorithm>

namespace fastvlm {
namespace {

// A backslash is a separator to readers on Windows.
constexpr std::string_view kSeparators = "/\\";

bool has_control_character(std::string_view name) {
  return std::ranges::any_of(name, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

}  // namespace

bool stays_in_folder(std::string_view name) {
  const bool drive = name.size() > 1 && name[1] == ':';
  if (name.empty() || drive || kSeparators.find(name.front()) != std::string_view::npos || has_control_character(name)) return false;
  while (true) {
    const auto end = name.find_first_of(kSeparators);
    if (name.substr(0, end) == "..") return false;
    if (end == std::string_view::npos) return true;
    name.remove_prefix(end + 1);
  }
}

bool is_file_name(std::string_view name) {
  return name != "." && stays_in_folder(name) && name.find_first_of(kSeparators) == std::string_view::npos;
}

}  // namespace fastvlm
