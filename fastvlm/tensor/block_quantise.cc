#include "fastvlm/tensor/block_quantise.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "fastvlm/base/assert.h"
#include "fastvlm/tensor/convert.h"

namespace fastvlm {
namespace {

// Adding and taking away 1.5 * 2^23 rounds half to even, and lets the compiler vectorise the loop.
constexpr float kRounder = 12582912.0f;

float rounded(float x) { return (x + kRounder) - kRounder; }

// Scales that are tried for 4 bits, as shares of the one that reaches the largest magnitude: a little clipping pays when a block
// has one large number.
constexpr std::array kShares = {1.0f, 0.95f, 0.9f, 0.85f, 0.8f, 0.75f};

struct CodeRange {
  float low;
  float high;
};
constexpr CodeRange range_of(int bits) { return bits == 4 ? CodeRange{-8, 7} : CodeRange{-128, 127}; }

float finite(float x) { return std::isfinite(x) ? x : 0.0f; }

float largest_magnitude(std::span<const float> values) {
  float largest = 0;
  for (float value : values) largest = std::max(largest, std::abs(finite(value)));
  return largest;
}

float in_half_precision(float scale) { return float16_to_float(float_to_float16(scale)); }

// A scale that half precision can hold; one that would vanish there becomes the smallest number it has.
float usable_scale(float scale) {
  constexpr float kSmallest = 5.9604645e-08f;
  return std::clamp(in_half_precision(scale), kSmallest, static_cast<float>(kLargestHalf));
}

float squared_error(std::span<const float> values, float scale, CodeRange range) {
  const float inverse = 1 / scale;
  // Eight sums in a fixed order: the same bits whether or not the loop is vectorised.
  std::array<float, 8> sums = {};
  const std::size_t whole = values.size() / 8 * 8;
  for (std::size_t i = 0; i < whole; i += 8)
    for (std::size_t lane = 0; lane < 8; ++lane) {
      const float value = values[i + lane];
      const float difference = std::clamp(rounded(value * inverse), range.low, range.high) * scale - value;
      sums[lane] += difference * difference;
    }
  for (std::size_t i = whole; i < values.size(); ++i) {
    const float difference = std::clamp(rounded(values[i] * inverse), range.low, range.high) * scale - values[i];
    sums[i - whole] += difference * difference;
  }
  float sum = 0;
  for (float lane : sums) sum += lane;
  return sum;
}

void write_codes(std::span<const float> values, float scale, BlockFormat format, std::span<std::byte> codes) {
  const CodeRange range = range_of(format.bits);
  const float inverse = scale == 0 ? 0.0f : 1 / scale;
  auto code_of = [&](std::size_t i) {
    const float value = i < values.size() ? finite(values[i]) : 0.0f;
    return static_cast<unsigned>(static_cast<int>(std::clamp(rounded(value * inverse), range.low, range.high)) -
                                 static_cast<int>(range.low));
  };
  for (std::size_t i = 0; i < codes.size(); ++i)
    codes[i] = format.bits == 8 ? std::byte(code_of(i)) : std::byte(code_of(2 * i) | code_of(2 * i + 1) << 4);
}

}  // namespace

float block_scale(std::span<const float> values, int bits) {
  const float largest = largest_magnitude(values);
  if (largest == 0) return 0;
  const CodeRange range = range_of(bits);
  if (bits == 8) return usable_scale(largest / range.high);
  float best = 0, least = 0;
  for (float share : kShares) {
    const float scale = usable_scale(largest * share / range.high);
    const float error = squared_error(values, scale, range);
    if (best == 0 || error < least) best = scale, least = error;
  }
  return best;
}

void quantise_blocks(std::span<const float> rows, std::int64_t columns, BlockFormat format, std::span<float> scales,
                     std::span<std::byte> codes) {
  const auto width = static_cast<std::size_t>(columns), blocks = static_cast<std::size_t>(format.blocks_of(columns));
  const auto block = static_cast<std::size_t>(format.block), bytes = static_cast<std::size_t>(format.block_bytes());
  const std::size_t count = rows.size() / width;
  FASTVLM_ASSERT(rows.size() == count * width && scales.size() == count * blocks && codes.size() == count * blocks * bytes,
                 "room for scales and codes");
  for (std::size_t i = 0; i < count * blocks; ++i) {
    const std::size_t begin = i % blocks * block;
    const auto values = rows.subspan(i / blocks * width + begin, std::min(block, width - begin));
    scales[i] = block_scale(values, format.bits);
    write_codes(values, scales[i], format, codes.subspan(i * bytes, bytes));
  }
}

void dequantise_blocks(std::span<const float> scales, std::span<const std::byte> codes, std::int64_t columns, BlockFormat format,
                       std::span<float> out) {
  const auto width = static_cast<std::size_t>(columns), blocks = static_cast<std::size_t>(format.blocks_of(columns));
  const auto block = static_cast<std::size_t>(format.block), bytes = static_cast<std::size_t>(format.block_bytes());
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::size_t at = i / width * blocks + i % width / block, within = i % width % block;
    const unsigned byte = std::to_integer<unsigned>(codes[at * bytes + (format.bits == 8 ? within : within / 2)]);
    const unsigned code = format.bits == 8 ? byte : (within % 2 == 0 ? byte & 15U : byte >> 4);
    out[i] = (static_cast<float>(code) + range_of(format.bits).low) * scales[at];
  }
}

}  // namespace fastvlm
