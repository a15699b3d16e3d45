// How numbers become integer codes, the same on every machine.
#pragma once

#include <cmath>

namespace fastvlm {

// Half to even, below 2^22: adding and taking away 1.5 * 2^23 does it, and lets the compiler vectorise the loop.
constexpr float kCodeRounder = 12582912.0f;
inline float rounded_code(float x) { return (x + kCodeRounder) - kCodeRounder; }

// NaN and infinity count as zero.
inline float finite_or_zero(float x) { return std::isfinite(x) ? x : 0.0f; }

}  // namespace fastvlm
