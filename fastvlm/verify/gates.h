// How close is close enough: one row for each kind of comparison.
#pragma once

#include <limits>
#include <string>

#include "fastvlm/bundle/graph_entry.h"
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

// Decoders with weights in integers against the float graph: logits over a prompt, where rounding is noise that adds up over layers.
// Measured: docs/quantisation.md. A wrong scale, order or place leaves 0 dB and less. Whether the answers are right is judged by
// questions, not here.
inline constexpr Gate kEightBitGate = {.min_snr_db = 20};
inline constexpr Gate kFourBitGate = {.min_snr_db = 3};

// The gate for a graph whose weights have at least so many bits (0: none in integers); `exact` is that of float weights.
inline const Gate& gate_of_bits(int bits, const Gate& exact) { return bits == 0 ? exact : bits < 8 ? kFourBitGate : kEightBitGate; }

// The NPU against the same graph on the CPU.
struct NpuGates {
  Gate features = {.min_snr_db = 45};
  Gate cache = {.min_snr_db = 45};
  Gate logits = {.min_snr_db = 36};
};

// A number between two codes may fall to either on the NPU; codes of 8 bits are far apart.
inline constexpr Gate kIntegerNpuGate = {.min_snr_db = 30};
inline NpuGates gates_of(Activations activations, const NpuGates& gates) {
  if (activations == Activations::kFloat || activations == Activations::kInt16) return gates;
  return {.features = kIntegerNpuGate, .cache = kIntegerNpuGate, .logits = kIntegerNpuGate};
}

inline bool passes(const Gate& gate, const Difference& difference) {
  return difference.finite && difference.max_relative <= gate.max_relative && difference.snr_db >= gate.min_snr_db;
}

// "relative error <= 1e-05", "SNR >= 45 dB".
std::string describe(const Gate& gate);

}  // namespace fastvlm
