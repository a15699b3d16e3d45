#include "fastvlm/sensitivity/propose.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

struct Step {
  std::size_t unit = 0, choice = 0;
  double gain = 0;  // of cost for a byte
};

const StorageChoice& now(const std::vector<StorageUnit>& units, const std::vector<std::size_t>& chosen, std::size_t unit) {
  return units[unit].choices[chosen[unit]];
}

// Integers in two parts may take more than floats.
std::int64_t added(const StorageChoice& from, const StorageChoice& to) {
  return static_cast<std::int64_t>(to.bytes) - static_cast<std::int64_t>(from.bytes);
}

// The step that lowers the cost most for a byte and takes at most `room` bytes more.
std::optional<Step> best_step(const std::vector<StorageUnit>& units, const std::vector<std::size_t>& chosen, std::uint64_t room) {
  std::optional<Step> best;
  for (std::size_t unit = 0; unit < units.size(); ++unit)
    for (std::size_t choice = 0; choice < units[unit].choices.size(); ++choice) {
      const StorageChoice &from = now(units, chosen, unit), &to = units[unit].choices[choice];
      const std::int64_t more = added(from, to);
      if (to.cost >= from.cost || (more > 0 && static_cast<std::uint64_t>(more) > room)) continue;
      const Step step{.unit = unit, .choice = choice, .gain = (from.cost - to.cost) / static_cast<double>(std::max<std::int64_t>(more, 1))};
      if (!best || step.gain > best->gain) best = step;
    }
  return best;
}

// Back to the recipe's own where the rest keeps the bound without it, the largest first.
void take_back(const std::vector<StorageUnit>& units, double bound, std::vector<std::size_t>& chosen) {
  std::vector<std::size_t> order(units.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  auto taken = [&](std::size_t unit) { return added(units[unit].choices[0], now(units, chosen, unit)); };
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return taken(a) > taken(b); });
  for (const std::size_t unit : order) {
    const std::size_t before = std::exchange(chosen[unit], 0);
    if (cost_of(units, chosen) > bound) chosen[unit] = before;
  }
}

}  // namespace

std::uint64_t bytes_of(const std::vector<StorageUnit>& units, const std::vector<std::size_t>& chosen) {
  std::uint64_t sum = 0;
  for (std::size_t unit = 0; unit < units.size(); ++unit) sum += now(units, chosen, unit).bytes;
  return sum;
}

double cost_of(const std::vector<StorageUnit>& units, const std::vector<std::size_t>& chosen) {
  double sum = 0;
  for (std::size_t unit = 0; unit < units.size(); ++unit) sum += now(units, chosen, unit).cost;
  return sum;
}

Status check_bytes(std::uint64_t bytes, const Bound& bound) {
  if (!bound.bytes || bytes <= *bound.bytes) return {};
  return bad_option("size", "{} bytes: the recipe alone needs {}; choose a recipe with fewer bits or allow more", *bound.bytes, bytes);
}

Result<std::vector<std::size_t>> choose(const std::vector<StorageUnit>& units, const Bound& bound) {
  std::vector<std::size_t> chosen(units.size(), 0);
  TRY(check_bytes(bytes_of(units, chosen), bound));
  while (true) {
    if (bound.cost && cost_of(units, chosen) <= *bound.cost) break;
    const std::uint64_t room = bound.bytes ? *bound.bytes - bytes_of(units, chosen) : UINT64_MAX;
    const auto step = best_step(units, chosen, room);
    if (!step) break;
    chosen[step->unit] = step->choice;
  }
  if (!bound.cost) return chosen;
  if (const double least = cost_of(units, chosen); least > *bound.cost)
    return bad_option("quality", "{}: the least that can be had with the activations of this recipe is {:.2g}", *bound.cost, least);
  take_back(units, *bound.cost, chosen);
  return chosen;
}

Recipe proposed(const Recipe& recipe, const std::vector<StorageUnit>& units, const std::vector<std::size_t>& chosen, bool tower) {
  Recipe made = recipe;
  std::vector<EncodingRule> rules;
  for (std::size_t unit = 0; unit < units.size(); ++unit) {
    if (units[unit].tower != tower) continue;
    const std::vector<EncodingRule>& needed = now(units, chosen, unit).rules;
    rules.insert(rules.end(), needed.begin(), needed.end());
  }
  made.rules.insert(made.rules.begin(), rules.begin(), rules.end());
  return made;
}

}  // namespace fastvlm
