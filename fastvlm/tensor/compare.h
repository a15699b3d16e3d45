// How far two tensors of the same shape are apart.
#pragma once

#include <cstdint>
#include <span>

namespace fastvlm {

struct Difference {
  double max_abs = 0;       // largest |actual - expected|
  double max_relative = 0;  // max_abs over the largest |expected|
  double cosine = 1;
  double snr_db = 0;       // decibels(sum expected^2, sum (actual - expected)^2)
  std::int64_t worst = 0;  // index of max_abs
  bool finite = true;      // no NaN or infinity in `actual`
};

// Both spans must have the same length. An `actual` that is not finite has max_abs and max_relative infinite.
Difference compare(std::span<const float> actual, std::span<const float> expected);

}  // namespace fastvlm
