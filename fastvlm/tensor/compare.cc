#include "fastvlm/tensor/compare.h"

#include <cmath>
#include <limits>

#include "fastvlm/base/assert.h"
#include "fastvlm/base/decibels.h"

namespace fastvlm {

Difference compare(std::span<const float> actual, std::span<const float> expected) {
  FASTVLM_ASSERT(actual.size() == expected.size(), "tensors of the same size");
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  Difference difference;
  double dot = 0, actual_power = 0, expected_power = 0, error_power = 0, largest = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    double a = actual[i], e = expected[i], error = std::abs(a - e);
    if (!std::isfinite(a)) {
      difference.finite = false;
      error = kInfinity;
    }
    if (error > difference.max_abs) {
      difference.max_abs = error;
      difference.worst = static_cast<std::int64_t>(i);
    }
    largest = std::max(largest, std::abs(e));
    dot += a * e;
    actual_power += a * a;
    expected_power += e * e;
    error_power += error * error;
  }
  if (difference.max_abs > 0) difference.max_relative = largest > 0 ? difference.max_abs / largest : kInfinity;
  if (actual_power > 0 && expected_power > 0)
    difference.cosine = dot / std::sqrt(actual_power * expected_power);
  else
    difference.cosine = actual_power == expected_power ? 1 : 0;
  difference.snr_db = decibels(expected_power, error_power);
  if (!difference.finite) difference.cosine = 0, difference.snr_db = -kEqualDb;
  return difference;
}

}  // namespace fastvlm
