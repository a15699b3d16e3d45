#include "fastvlm/export/gelu_forms.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace fastvlm {
namespace {

constexpr int kFour = 2 - kFirstBinExponent;  // the bin that begins at 4
constexpr double kTooLarge = 1e-3;            // of a number above 4, fast
constexpr double kCoarse = 2e-3;              // of any smaller one, joined

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

ops::GeluChoice gelu_choice_for(const ValueRange& input) {
  double large = 0, squares = 0;
  for (int bin = kFour; bin < kHistogramBins; ++bin) {
    const double middle = std::ldexp(1.5, bin + kFirstBinExponent),
                 count = static_cast<double>(input.histogram[static_cast<std::size_t>(bin)]);
    large += count, squares += count * middle * middle;
  }
  // Half of the large numbers are negative, and nothing is left of them.
  const double numbers = static_cast<double>(input.count);
  const double fast = kTooLarge * kTooLarge * squares / 2, joined = kCoarse * kCoarse * (numbers - large);
  return {.form = fast <= joined ? ops::GeluForm::kFast : ops::GeluForm::kJoined, .why = what_was_seen(input, large / numbers)};
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
  for (const auto& [name, range] : options.ranges->ranges.values)
    if (range.count > 0 && range.not_finite == 0) forms.of[name] = gelu_choice_for(range);
  return forms;
}

}  // namespace fastvlm
