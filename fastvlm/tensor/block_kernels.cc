#include "fastvlm/tensor/block_kernels.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "fastvlm/tensor/code_rounding.h"

namespace fastvlm {
namespace {

Extremes extremes_plain(std::span<const float> block) {
  // One of each place in a group, so that the compiler makes vectors of them.
  std::array<float, kGroup> low = {}, high = {};
  for (std::size_t i = 0; i < block.size(); i += kGroup)
    for (std::size_t lane = 0; lane < kGroup; ++lane) {
      const float value = finite_or_zero(block[i + lane]);
      low[lane] = std::min(low[lane], value), high[lane] = std::max(high[lane], value);
    }
  return {.low = *std::ranges::min_element(low), .high = *std::ranges::max_element(high)};
}

float squared_error(std::span<const float> block, float scale) {
  const float inverse = 1 / scale;
  std::array<float, kGroup> sums = {};
  for (std::size_t i = 0; i < block.size(); i += kGroup)
    for (std::size_t lane = 0; lane < kGroup; ++lane) {
      const float value = block[i + lane];
      const float difference = std::clamp(rounded_code(value * inverse), -8.0f, 7.0f) * scale - value;
      sums[lane] += difference * difference;
    }
  float sum = 0;
  for (const float lane : sums) sum += lane;
  return sum;
}

TriedScale best_scale_plain(std::span<const float> block, float largest) {
  TriedScale best;
  for (std::size_t i = 0; i < kTriedScales; ++i) {
    const float scale = usable_scale(largest * kShares[i] / 7), error = squared_error(block, scale);
    if (i == 0 || error < best.error) best = {.scale = scale, .error = error};
  }
  return best;
}

// Codes of a group.
template <int kLargest>
std::array<std::int32_t, kGroup> codes_of(const float* group, float inverse, float zero_point) {
  std::array<std::int32_t, kGroup> codes;
  for (std::size_t i = 0; i < kGroup; ++i) {
    const float code = rounded_code(finite_or_zero(group[i]) * inverse) + zero_point;
    codes[i] = static_cast<std::int32_t>(std::clamp(code, 0.0f, static_cast<float>(kLargest)));
  }
  return codes;
}

float inverse_of(float scale) { return scale == 0 ? 0.0f : 1 / scale; }

void write_nibbles_plain(std::span<const float> block, BlockScale scale, std::byte* codes) {
  const float inverse = inverse_of(scale.scale);
  for (std::size_t i = 0; i < block.size(); i += kGroup) {
    const auto group = codes_of<15>(block.data() + i, inverse, scale.zero_point);
    for (std::size_t pair = 0; pair < kGroup; pair += 2) *codes++ = std::byte(group[pair] | group[pair + 1] << 4);
  }
}

void write_bytes_plain(std::span<const float> block, BlockScale scale, std::byte* codes) {
  const float inverse = inverse_of(scale.scale);
  for (std::size_t i = 0; i < block.size(); i += kGroup)
    for (const std::int32_t code : codes_of<255>(block.data() + i, inverse, scale.zero_point)) *codes++ = std::byte(code);
}

}  // namespace

const BlockKernels kPlainBlockKernels = {
    .extremes = extremes_plain, .best_scale = best_scale_plain, .write_nibbles = write_nibbles_plain, .write_bytes = write_bytes_plain};

}  // namespace fastvlm
