// How close is close enough: one row for each kind of comparison.
#pragma once

#include <limits>
#include <string>

#include "fastvlm/tensor/compare.h"

namespace fastvlm {

struct Gate {
  double max_relative = std::numeric_limits<double>::infinity();  // of the expected tensor's largest value
  double min_snr_db = -std::numeric_limits<double>::infinity();
};

// Float32 graphs against the reference implementation.
inline constexpr Gate kFloatGate = {.max_relative = 1e-5};
// Static graphs on the CPU against the reference, prefill and decode steps included.
inline constexpr Gate kStaticGate = {.max_relative = 1e-4};
// Graphs in half precision on the CPU: eleven bits for each of many sums.
inline constexpr Gate kHalfGate = {.max_relative = 3e-2, .min_snr_db = 36};

// The NPU against the same graph on the CPU.
struct NpuGates {
  Gate features = {.min_snr_db = 45};
  Gate cache = {.min_snr_db = 45};
  Gate logits = {.min_snr_db = 36};
};

inline bool passes(const Gate& gate, const Difference& difference) {
  return difference.finite && difference.max_relative <= gate.max_relative && difference.snr_db >= gate.min_snr_db;
}

// "relative error <= 1e-05", "SNR >= 45 dB".
std::string describe(const Gate& gate);

}  // namespace fastvlm
