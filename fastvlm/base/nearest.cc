#include "fastvlm/base/nearest.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

namespace fastvlm {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t corner = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t changed = corner + (a[i] == b[j] ? 0 : 1);
      corner = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, corner + 1});
    }
  }
  return row.back();
}

std::string_view nearest_of(std::string_view wanted, std::span<const std::string_view> known) {
  wanted = wanted.substr(0, 64);
  return *std::min_element(known.begin(), known.end(),
                           [&](std::string_view a, std::string_view b) { return edit_distance(wanted, a) < edit_distance(wanted, b); });
}

}  // namespace fastvlm
