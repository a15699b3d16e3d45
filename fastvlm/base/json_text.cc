#include "fastvlm/base/json_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace fastvlm {

std::string counts_text(const OrderedJson& counts) {
  std::vector<std::pair<std::string, std::int64_t>> rows;
  for (const auto& [name, count] : counts.items()) rows.emplace_back(name, count.get<std::int64_t>());
  std::ranges::stable_sort(rows, [](const auto& a, const auto& b) { return a.second > b.second; });
  std::string text;
  for (const auto& [name, count] : rows) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, count);
  return text;
}

}  // namespace fastvlm
