// The two inner loops of resizing. Integers only, so every form of them gives the same bytes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "fastvlm/image/resize_weights.h"

namespace fastvlm {

// Half a unit, which every sum begins with so that it is rounded.
constexpr std::int32_t kHalfWeight = 1 << (kWeightBits - 1);
// Takes off the fraction and clips.
constexpr std::uint8_t sum_to_byte(std::int32_t sum) { return static_cast<std::uint8_t>(std::clamp(sum >> kWeightBits, 0, 255)); }

// Rows that are resized together, so that a weight is loaded once for all of them.
constexpr int kRowsAtOnce = 4;
// A kernel may read this far beyond the last pixel of a row, and write this far beyond the last of its own.
constexpr std::size_t kRowSlack = 32;

// sum of weights[k] * from[k * stride + i].
struct WeightedRows {
  const std::uint8_t* from = nullptr;
  std::size_t stride = 0;
  const std::int32_t* weights = nullptr;
  int count = 0;
};

struct ResizeKernels {
  // Resizes kRowsAtOnce rows: from[i] is the first pixel of a row of the picture, to[i] that of the outputs.
  void (*resize_rows)(const AxisWeights& across, const std::uint8_t* const* from, std::uint8_t* const* to);
  // to[i] = the sum above, rounded and clipped, for i < length.
  void (*sum_rows)(const WeightedRows& rows, std::uint8_t* to, std::size_t length);
};

// Plain C++, for every processor and as the yardstick of the others.
extern const ResizeKernels kPlainKernels;
// The fastest that this processor can run.
const ResizeKernels& best_kernels();

}  // namespace fastvlm
