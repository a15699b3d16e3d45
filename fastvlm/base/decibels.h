// Ratios of powers, as everything here states them.
#pragma once

#include <algorithm>
#include <cmath>

namespace fastvlm {

// What stands for no noise at all, and with a minus for nothing but noise.
inline constexpr double kEqualDb = 300;

// 10 log10(signal / noise) of two sums of squares, within -kEqualDb … kEqualDb.
inline double decibels(double signal, double noise) {
  return noise == 0 ? kEqualDb : std::clamp(10 * std::log10(signal / noise), -kEqualDb, kEqualDb);
}

}  // namespace fastvlm
