#include "fastvlm/targets/qnn/chips/soc_table.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

#include "fastvlm/base/nearest.h"

namespace fastvlm::qnn {
namespace {

// Nobody writes a longer name.
constexpr std::size_t kMaxName = 64;

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
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
  const std::vector<std::string_view> known(names.begin(), names.end());
  return bad_usage("\"{}\" is not a chip we know; did you mean {}? Known are {}", wanted, nearest_of(wanted, known),
                   fmt::join(names, ", "));
}

const Soc* soc_of_model(std::int64_t soc_model) {
  for (const Soc& soc : kSocs)
    if (soc.soc_model == soc_model) return &soc;
  return nullptr;
}

}  // namespace fastvlm::qnn
