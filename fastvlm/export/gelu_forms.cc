#include "fastvlm/export/gelu_forms.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <numbers>

namespace fastvlm {
namespace {

constexpr int kFour = 2 - kFirstBinExponent;  // the bin that begins at 4
constexpr double kTooLarge = 1e-3;            // of a number above 4, fast
constexpr double kCoarse = 2e-3;              // of any smaller one, joined
constexpr double kLargestLoss = 5e-3;         // 46 dB; verify wants 45

constexpr std::string_view kInputSize = "/Abs:0";  // behind the module path: with it begins the exact form, which is measured

struct NamedPolicy {
  GeluPolicy policy;
  const char* name;
};
constexpr std::array<NamedPolicy, 3> kPolicies = {
    {{GeluPolicy::kAuto, "auto"}, {GeluPolicy::kExact, "exact"}, {GeluPolicy::kFast, "fast"}}};

std::string what_was_seen(const ValueRange& input, double above_four) {
  const std::string reach = fmt::format("inputs reach {:.4g}", input.absmax());
  return above_four == 0 ? reach : fmt::format("{}, {:.2g} % above 4", reach, 100 * above_four);
}

// Of a number of either sign, half of the numbers each.
double mean_squared_gelu(double size) {
  const double above = size * 0.5 * std::erfc(-size / std::numbers::sqrt2), below = size * 0.5 * std::erfc(size / std::numbers::sqrt2);
  return (above * above + below * below) / 2;
}

void keep_below_the_largest_loss(std::map<std::string, QuickGelu>& gelus) {
  std::vector<QuickGelu*> worst_first;
  double loss = 0;
  for (auto& [module, gelu] : gelus) worst_first.push_back(&gelu), loss += gelu.loss;
  std::ranges::stable_sort(worst_first, std::greater(), &QuickGelu::loss);
  for (QuickGelu* gelu : worst_first) {
    if (loss <= kLargestLoss) return;
    loss -= gelu->loss;
    gelu->choice = {.form = ops::GeluForm::kExact, .why = gelu->choice.why + "; with the other GELUs a quick form would lose too much"};
  }
}

}  // namespace

std::string_view name(GeluPolicy policy) { return std::ranges::find(kPolicies, policy, &NamedPolicy::policy)->name; }

std::optional<GeluPolicy> gelu_policy_of(std::string_view name) {
  const auto* found = std::ranges::find(kPolicies, name, [](const NamedPolicy& one) { return std::string_view(one.name); });
  return found == kPolicies.end() ? std::nullopt : std::optional(found->policy);
}

std::vector<std::string> gelu_policy_names() {
  std::vector<std::string> names;
  for (const NamedPolicy& one : kPolicies) names.emplace_back(one.name);
  return names;
}

QuickGelu quick_gelu(const ValueRange& input) {
  double large = 0, large_squares = 0, squares = 0;
  for (int bin = 0; bin < kHistogramBins; ++bin) {
    const double middle = std::ldexp(1.5, bin + kFirstBinExponent),
                 count = static_cast<double>(input.histogram[static_cast<std::size_t>(bin)]);
    squares += count * mean_squared_gelu(middle);
    if (bin >= kFour) large += count, large_squares += count * middle * middle;
  }
  // Half of the large numbers are negative, and nothing is left of them.
  const double numbers = static_cast<double>(input.count);
  const double fast = kTooLarge * kTooLarge * large_squares / 2, joined = kCoarse * kCoarse * (numbers - large);
  return {.choice = {.form = fast <= joined ? ops::GeluForm::kFast : ops::GeluForm::kJoined, .why = what_was_seen(input, large / numbers)},
          .loss = squares == 0 ? 0 : std::sqrt(std::min(fast, joined) / squares)};
}

ops::GeluForms gelu_forms(const ExportOptions& options) {
  using enum ops::GeluForm;
  switch (options.gelu) {
    case GeluPolicy::kExact: return {.otherwise = {.form = kExact, .why = "asked for"}};
    case GeluPolicy::kFast: return {.otherwise = {.form = kFast, .why = "asked for"}};
    case GeluPolicy::kAuto: break;
  }
  ops::GeluForms forms;
  if (!options.ranges || options.ranges->source != RangeOptions::Source::kMeasured) return forms;
  forms.otherwise.why = "no range of its input is known";
  std::map<std::string, QuickGelu> gelus;
  for (const auto& [name, range] : options.ranges->ranges.values)
    if (name.ends_with(kInputSize) && range.count > 0 && range.not_finite == 0)
      gelus[name.substr(0, name.size() - kInputSize.size())] = quick_gelu(range);
  keep_below_the_largest_loss(gelus);
  for (auto& [module, gelu] : gelus) forms.of[module] = std::move(gelu.choice);
  return forms;
}

}  // namespace fastvlm
