// The inner loops of block_quantise.h. What every form of them computes for a number is the same operation on floats, and sums have one
// order, so that every form gives the same bytes.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace fastvlm {

// Blocks come in whole groups of this many numbers. Sums are one for each place in a group, which are then added from the first to the
// last.
constexpr std::size_t kGroup = 8;

// Of the finite numbers of a block, and zero.
struct Extremes {
  float low = 0;
  float high = 0;
};

// Scales that are tried for a block of 4 bits, as shares of the one that reaches the largest magnitude: a little clipping pays when a
// block has one large number.
constexpr std::size_t kTriedScales = 6;
constexpr std::array<float, kGroup> kShares = {1.0f, 0.95f, 0.9f, 0.85f, 0.8f, 0.75f, 1.0f, 1.0f};  // the last two fill the group

// A scale, which is above zero, as half precision can hold it; one that would vanish there becomes the smallest number it has. Rounds
// as float_to_float16() does.
inline float usable_scale(float scale) {
  constexpr float kSmallest = 0x1p-24f, kSmallestNormal = 0x1p-14f, kLargest = 65504;
  const float below_normal = (scale + 0.5f) - 0.5f;  // a float at 0.5 has the steps of these numbers
  const auto bits = std::bit_cast<std::uint32_t>(scale);
  const auto normal = std::bit_cast<float>((bits + 0xFFFu + (bits >> 13 & 1u)) & ~0x1FFFu);
  return std::clamp(scale < kSmallestNormal ? below_normal : normal, kSmallest, kLargest);
}

// One of them, and what a block loses by it: the sum of squared errors.
struct TriedScale {
  float scale = 0;
  float error = 0;
};

struct BlockScale {
  float scale = 0;
  float zero_point = 0;  // the code of zero
};

struct BlockKernels {
  Extremes (*extremes)(std::span<const float> block);
  // Of the scales that are tried for a block with this largest magnitude, the first with the least error, the codes being -8 to 7; the
  // first of all where errors are no numbers.
  TriedScale (*best_scale)(std::span<const float> block, float largest);
  // Codes from zero to 15 or 255; NaN and infinity have that of zero.
  void (*write_nibbles)(std::span<const float> block, BlockScale scale, std::byte* codes);
  void (*write_bytes)(std::span<const float> block, BlockScale scale, std::byte* codes);
};

// Plain C++, for every processor and as the yardstick of the others.
extern const BlockKernels kPlainBlockKernels;
// The fastest that this processor can run.
const BlockKernels& best_block_kernels();

}  // namespace fastvlm
