#include "fastvlm/targets/registry.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <iterator>
#include <utility>

#include "fastvlm/base/nearest.h"
#include "fastvlm/base/try.h"
#include "fastvlm/targets/qnn/qnn_target.h"

namespace fastvlm {
namespace {

constexpr std::array<const Target*, 1> kTargets = {&qnn::kTarget};

template <class Matches>
const ContextFormat* first_format(Targets targets, Matches matches) {
  for (const Target* target : targets)
    if (target->context_format != nullptr && matches(*target->context_format)) return target->context_format;
  return nullptr;
}

// Nobody writes a longer name.
constexpr std::size_t kMaxName = 64;

// "Snapdragon 8 Gen 3", "8gen3" and "8-GEN-3" are the same name.
std::string plain_name(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (std::isalnum(static_cast<unsigned char>(c)) || c == '+') out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (bool found = true; found;) {
    found = false;
    for (const std::string_view maker : {"qualcomm", "snapdragon", "dragonwing", "samsung", "galaxy", "hexagon", "htp"})
      if (out.size() > maker.size() && out.starts_with(maker)) out.erase(0, maker.size()), found = true;
  }
  return out;
}

// All that a chip may be called.
std::vector<std::string> names_of(const Chip& chip) {
  std::vector<std::string> names = {chip.name, chip.marketing};
  if (!chip.alias.empty()) names.push_back(chip.alias);
  names.insert(names.end(), chip.also.begin(), chip.also.end());
  if (const auto number = number_of(chip, "soc_model")) names.push_back(std::to_string(*number));
  return names;
}

// One letter added, dropped or changed, or two neighbours exchanged, in a name that has letters. Another number or another sign of a series
// ("8s", "8+") is another chip, not a slip of the hand.
bool is_slip(std::string_view wanted, std::string_view known) {
  const auto is_letter = [](char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; };
  auto number_of_name = [&](std::string_view text) {
    std::string signs;
    std::ranges::copy_if(text, std::back_inserter(signs), [&](char c) { return !is_letter(c); });
    std::ranges::sort(signs);
    return signs;
  };
  constexpr std::string_view kGeneration = "gen";
  const bool both_generations = wanted.find(kGeneration) != std::string_view::npos && known.find(kGeneration) != std::string_view::npos;
  if (both_generations || std::ranges::none_of(wanted, is_letter) || number_of_name(wanted) != number_of_name(known)) return false;
  if (edit_distance(wanted, known) <= 1) return true;
  const auto [first, other] = std::ranges::mismatch(wanted, known);
  std::string swapped(wanted);
  const auto at = static_cast<std::size_t>(first - wanted.begin());
  if (at + 1 < swapped.size()) std::swap(swapped[at], swapped[at + 1]);
  return swapped == known;
}

}  // namespace

Targets known_targets() { return kTargets; }

std::string chip_table(Targets targets) {
  std::string text = "chips, and what else they may be called:";
  for (const Target* target : targets)
    for (const Chip& chip : target->chips()) {
      std::vector<std::string> others = names_of(chip);
      others.erase(others.begin());
      text += fmt::format("\n  {:<10}{}", chip.name, fmt::join(others, ", "));
    }
  return text;
}

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
  const std::string wanted = plain_name(name.substr(0, kMaxName));
  if (wanted == "help" || wanted == "list") return bad_usage("{}", chip_table(targets));
  std::string_view nearest;
  for (const Target* target : targets)
    for (const Chip& chip : target->chips())
      for (const std::string& known : names_of(chip)) {
        const std::string plain = plain_name(known);
        if (!wanted.empty() && wanted == plain) return ChosenChip{target, &chip};
        if (nearest.empty() && is_slip(wanted, plain)) nearest = chip.name;
      }
  const std::string guess = nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest);
  Error error = bad_usage("\"{}\" is not a chip we know{} Known are {}", name.substr(0, kMaxName), guess.empty() ? "." : guess,
                          fmt::join(chip_names(targets), ", "));
  error.option = "targets";
  return error;
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

std::optional<std::int64_t> number_of(const Chip& chip, std::string_view kind) {
  const auto row = std::ranges::find(chip.numbers, kind, &std::pair<std::string, std::int64_t>::first);
  return row == chip.numbers.end() ? std::nullopt : std::optional(row->second);
}

const ContextFormat* format_of_wrapper(Targets targets, const Path& wrapper) {
  return first_format(targets, [&](const ContextFormat& format) { return format.graph_of(wrapper).has_value(); });
}

const ContextFormat* format_of_wrapper(Targets targets, const OnnxModel& model) {
  return first_format(targets, [&](const ContextFormat& format) { return format.is_wrapper(model); });
}

const ContextFormat* format_of_context(Targets targets, std::string_view head) {
  return first_format(targets, [&](const ContextFormat& format) { return format.is_context(head); });
}

Precision precision_of(Activations activations) {
  switch (activations) {
    case Activations::kFloat: return Precision::kFloat16;
    case Activations::kInt16: return Precision::kSixteenBits;
    case Activations::kInt16Int8: return Precision::kFloat16;
    case Activations::kWhole: return Precision::kQuantised;
  }
  return Precision::kFloat16;
}

Status check_precision(std::span<const ChosenChip> chips, Precision precision) {
  for (const ChosenChip& chosen : chips)
    if (auto why = chosen.target->refuses(*chosen.chip, precision)) return bad_usage("target {}", *why);
  return {};
}

}  // namespace fastvlm
