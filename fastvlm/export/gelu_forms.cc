#include "fastvlm/export/gelu_forms.h"

#include <cmath>

namespace fastvlm {
namespace {

constexpr int kFour = 2 - kFirstBinExponent;  // the bin that begins at 4
constexpr double kTooLarge = 1e-3;            // of a number above 4, fast
constexpr double kCoarse = 2e-3;              // of any smaller one, joined

}  // namespace

ops::GeluForm gelu_form_for(const ValueRange& input) {
  double large = 0, squares = 0;
  for (int bin = kFour; bin < kHistogramBins; ++bin) {
    const double middle = std::ldexp(1.5, bin + kFirstBinExponent),
                 count = static_cast<double>(input.histogram[static_cast<std::size_t>(bin)]);
    large += count, squares += count * middle * middle;
  }
  // Half of the large numbers are negative, and nothing is left of them.
  const double fast = kTooLarge * kTooLarge * squares / 2, joined = kCoarse * kCoarse * (static_cast<double>(input.count) - large);
  return fast <= joined ? ops::GeluForm::kFast : ops::GeluForm::kJoined;
}

ops::GeluForms gelu_forms(const ExportOptions& options) {
  ops::GeluForms forms;
  if (options.gelu == GeluChoice::kFast) forms.otherwise = ops::GeluForm::kFast;
  if (options.gelu == GeluChoice::kAuto && options.ranges)
    for (const auto& [name, range] : options.ranges->ranges.values)
      if (range.count > 0 && range.not_finite == 0) forms.of[name] = gelu_form_for(range);
  return forms;
}

}  // namespace fastvlm
