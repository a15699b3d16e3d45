#include "fastvlm/tensor/block_quantise.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "fastvlm/base/assert.h"
#include "fastvlm/tensor/code_rounding.h"
#include "fastvlm/tensor/convert.h"

namespace fastvlm {
namespace {

// Scales that are tried for 4 bits, as shares of the one that reaches the largest magnitude: a little clipping pays when a block
// has one large number.
constexpr std::array kShares = {1.0f, 0.95f, 0.9f, 0.85f, 0.8f, 0.75f};

struct CodeRange {
  float low;
  float high;
};
constexpr CodeRange range_of(int bits) { return bits == 4 ? CodeRange{-8, 7} : CodeRange{-128, 127}; }
constexpr float largest_code_of(int bits) { return range_of(bits).high - range_of(bits).low; }

float largest_magnitude(std::span<const float> values) {
  float largest = 0;
  for (float value : values) largest = std::max(largest, std::abs(finite_or_zero(value)));
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
      const float difference = std::clamp(rounded_code(value * inverse), range.low, range.high) * scale - value;
      sums[lane] += difference * difference;
    }
  for (std::size_t i = whole; i < values.size(); ++i) {
    const float difference = std::clamp(rounded_code(values[i] * inverse), range.low, range.high) * scale - values[i];
    sums[i - whole] += difference * difference;
  }
  float sum = 0;
  for (float lane : sums) sum += lane;
  return sum;
}

struct BlockScale {
  float scale = 0;
  float zero_point = 0;  // the code of zero
};

BlockScale middle_scale(std::span<const float> values, int bits) {
  return {.scale = block_scale(values, bits), .zero_point = -range_of(bits).low};
}

BlockScale shifted_scale(std::span<const float> values) {
  const float largest_code = largest_code_of(4);
  float low = 0, high = 0;
  for (float value : values) low = std::min(low, finite_or_zero(value)), high = std::max(high, finite_or_zero(value));
  if (low == high) return middle_scale(values, 4);
  const float scale = usable_scale(high / largest_code - low / largest_code);
  return {.scale = scale, .zero_point = std::clamp(rounded_code(-low / scale), 0.0f, largest_code)};
}

void write_codes(std::span<const float> values, BlockScale scale, int bits, std::span<std::byte> codes) {
  const float inverse = scale.scale == 0 ? 0.0f : 1 / scale.scale, largest = largest_code_of(bits);
  auto code_of = [&](std::size_t i) {
    const float value = i < values.size() ? finite_or_zero(values[i]) : 0.0f;
    return static_cast<unsigned>(std::clamp(rounded_code(value * inverse) + scale.zero_point, 0.0f, largest));
  };
  for (std::size_t i = 0; i < codes.size(); ++i)
    codes[i] = bits == 8 ? std::byte(code_of(i)) : std::byte(code_of(2 * i) | code_of(2 * i + 1) << 4);
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

void quantise_blocks(std::span<const float> rows, std::int64_t columns, BlockFormat format, const BlockNumbers& out) {
  const auto width = static_cast<std::size_t>(columns), blocks = static_cast<std::size_t>(format.blocks_of(columns));
  const auto block = static_cast<std::size_t>(format.block), bytes = static_cast<std::size_t>(format.block_bytes());
  const std::size_t count = rows.size() / width;
  const auto zero_bytes = static_cast<std::size_t>(format.zero_point_bytes(columns));
  FASTVLM_ASSERT(rows.size() == count * width && out.scales.size() == count * blocks && out.codes.size() == count * blocks * bytes &&
                     out.zero_points.size() == count * zero_bytes,
                 "room for scales, codes and zero points");
  std::ranges::fill(out.zero_points, std::byte{0});
  for (std::size_t i = 0; i < count * blocks; ++i) {
    const std::size_t begin = i % blocks * block;
    const auto values = rows.subspan(i / blocks * width + begin, std::min(block, width - begin));
    const BlockScale scale = format.shifted ? shifted_scale(values) : middle_scale(values, format.bits);
    out.scales[i] = scale.scale;
    write_codes(values, scale, format.bits, out.codes.subspan(i * bytes, bytes));
    if (format.shifted)
      out.zero_points[i / blocks * zero_bytes + i % blocks / 2] |= std::byte(static_cast<unsigned>(scale.zero_point) << i % blocks % 2 * 4);
  }
}

void dequantise_blocks(const BlockNumbersRead& numbers, std::int64_t columns, BlockFormat format, std::span<float> out) {
  const auto zero_bytes = static_cast<std::size_t>(format.zero_point_bytes(columns));
  auto half_of = [](std::byte both, std::size_t which) {
    return static_cast<float>(std::to_integer<unsigned>(both) >> which % 2 * 4 & 15U);
  };
  const auto width = static_cast<std::size_t>(columns), blocks = static_cast<std::size_t>(format.blocks_of(columns));
  const auto block = static_cast<std::size_t>(format.block), bytes = static_cast<std::size_t>(format.block_bytes());
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::size_t at = i / width * blocks + i % width / block, within = i % width % block;
    const std::byte byte = numbers.codes[at * bytes + (format.bits == 8 ? within : within / 2)];
    const float code = format.bits == 8 ? static_cast<float>(byte) : half_of(byte, within);
    const float zero =
        format.shifted ? half_of(numbers.zero_points[i / width * zero_bytes + at % blocks / 2], at % blocks) : -range_of(format.bits).low;
    out[i] = (code - zero) * numbers.scales[at];
  }
}

}  // namespace fastvlm
