#include "fastvlm/targets/qnn/soc_table.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <numeric>

namespace fastvlm::qnn {
namespace {

// Nobody writes a longer name; the distance below is quadratic.
constexpr std::size_t kMaxName = 64;

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

// Levenshtein distance.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::vector<std::string> soc_names() {
  std::vector<std::string> names;
  for (const Soc& soc : kSocs) {
    names.emplace_back(soc.name);
    if (!soc.alias.empty()) names.emplace_back(soc.alias);
  }
  return names;
}

Result<const Soc*> find_soc(std::string_view name) {
  const std::string wanted = lower(name.substr(0, kMaxName));
  for (const Soc& soc : kSocs)
    if (wanted == soc.name || (!soc.alias.empty() && wanted == soc.alias)) return &soc;
  const std::vector<std::string> names = soc_names();
  const auto nearest = std::min_element(names.begin(), names.end(), [&](const std::string& a, const std::string& b) {
    return distance(wanted, a) < distance(wanted, b);
  });
  return bad_usage("\"{}\" is not a chip we know; did you mean {}? Known are {}", wanted, *nearest, fmt::join(names, ", "));
}

}  // namespace fastvlm::qnn
