#include "fastvlm/evaluate/statistics.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "fastvlm/base/mix.h"

namespace fastvlm {
namespace {

// Below `count`, without a preference that could be seen: count is far below 2^32.
std::size_t draw(std::uint64_t& state, std::size_t count) {
  state += kSplitMixStep;
  return static_cast<std::size_t>((split_mix(state) >> 32) * count >> 32);
}

}  // namespace

double mean_of(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

double percentile(std::span<const double> values, double share) {
  if (values.empty()) return 0;
  std::vector<double> sorted(values.begin(), values.end());
  std::ranges::sort(sorted);
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (place - static_cast<double>(below));
}

Interval bootstrap_interval(std::span<const double> values, const BootstrapOptions& options) {
  if (values.empty()) return {};
  std::uint64_t state = options.seed;
  std::vector<double> means;
  for (int sample = 0; sample < options.samples; ++sample) {
    double sum = 0;
    for (std::size_t i = 0; i < values.size(); ++i) sum += values[draw(state, values.size())];
    means.push_back(sum / static_cast<double>(values.size()));
  }
  const double tail = (1 - options.confidence) / 2;
  return {.low = percentile(means, tail), .high = percentile(means, 1 - tail)};
}

}  // namespace fastvlm
