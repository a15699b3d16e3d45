#include "fastvlm/targets/registry.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "fastvlm/base/nearest.h"
#include "fastvlm/base/try.h"
#include "fastvlm/targets/qnn/qnn_target.h"

namespace fastvlm {
namespace {

constexpr std::array<const Target*, 1> kTargets = {&qnn::kTarget};

// Nobody writes a longer name.
constexpr std::size_t kMaxName = 64;

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

}  // namespace

Targets known_targets() { return kTargets; }

std::vector<std::string> chip_names(Targets targets) {
  std::vector<std::string> names;
  for (const Target* target : targets)
    for (const Chip& chip : target->chips()) {
      names.push_back(chip.name);
      if (!chip.alias.empty()) names.push_back(chip.alias);
    }
  return names;
}

Result<ChosenChip> find_chip(Targets targets, std::string_view name) {
  const std::string wanted = lower(name.substr(0, kMaxName));
  for (const Target* target : targets)
    for (const Chip& chip : target->chips())
      if (!wanted.empty() && (wanted == chip.name || wanted == chip.alias)) return ChosenChip{target, &chip};
  const std::vector<std::string> names = chip_names(targets);
  const std::vector<std::string_view> known(names.begin(), names.end());
  return bad_usage("\"{}\" is not a chip we know; did you mean {}? Known are {}", wanted, nearest_of(wanted, known),
                   fmt::join(names, ", "));
}

Result<std::vector<ChosenChip>> find_chips(Targets targets, std::span<const std::string> names) {
  std::vector<ChosenChip> chips;
  for (const std::string& name : names) {
    TRY_ASSIGN(const ChosenChip chosen, find_chip(targets, name));
    if (!chips.empty() && chips[0].target != chosen.target)
      return bad_usage("{} is of {} and {} of {}; export for one of them at a time, because their graphs differ", chips[0].chip->name,
                       chips[0].target->title, chosen.chip->name, chosen.target->title);
    if (std::ranges::find(chips, chosen.chip, &ChosenChip::chip) == chips.end()) chips.push_back(chosen);
  }
  return chips;
}

Status check_precision(std::span<const ChosenChip> chips, Precision precision) {
  for (const ChosenChip& chosen : chips)
    if (auto why = chosen.target->refuses(*chosen.chip, precision)) return bad_usage("target {}", *why);
  return {};
}

}  // namespace fastvlm
