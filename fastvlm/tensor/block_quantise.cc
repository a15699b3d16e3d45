#include "fastvlm/tensor/block_quantise.h"

#include <algorithm>
#include <vector>

#include "fastvlm/base/assert.h"
#include "fastvlm/tensor/block_kernels.h"
#include "fastvlm/tensor/code_rounding.h"

namespace fastvlm {
namespace {

struct CodeRange {
  float low;
  float high;
};
constexpr CodeRange range_of(int bits) { return bits == 4 ? CodeRange{-8, 7} : CodeRange{-128, 127}; }
constexpr float largest_code_of(int bits) { return range_of(bits).high - range_of(bits).low; }

BlockScale middle_scale(std::span<const float> block, int bits, const BlockKernels& kernels) {
  const Extremes extremes = kernels.extremes(block);
  const float largest = std::max(-extremes.low, extremes.high), zero_point = -range_of(bits).low;
  if (largest == 0) return {.scale = 0, .zero_point = zero_point};
  return {.scale = bits == 8 ? usable_scale(largest / range_of(8).high) : kernels.best_scale(block, largest).scale,
          .zero_point = zero_point};
}

BlockScale shifted_scale(std::span<const float> block, const BlockKernels& kernels) {
  const float largest_code = largest_code_of(4);
  const auto [low, high] = kernels.extremes(block);
  if (low == high) return {.scale = 0, .zero_point = -range_of(4).low};
  const float scale = usable_scale(high / largest_code - low / largest_code);
  return {.scale = scale, .zero_point = std::clamp(rounded_code(-low / scale), 0.0f, largest_code)};
}

// With zeros up to `size`: they change neither the scale nor what it loses.
std::span<const float> filled_up(std::span<const float> values, std::size_t size, std::vector<float>& room) {
  if (values.size() == size) return values;
  room.assign(size, 0.0f);
  std::ranges::copy(values, room.begin());
  return room;
}

}  // namespace

float block_scale(std::span<const float> values, int bits) {
  std::vector<float> room;
  return middle_scale(filled_up(values, (values.size() + kGroup - 1) / kGroup * kGroup, room), bits, best_block_kernels()).scale;
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
  const BlockKernels& kernels = best_block_kernels();
  const auto write_codes = format.bits == 8 ? kernels.write_bytes : kernels.write_nibbles;
  std::vector<float> room;
  for (std::size_t row = 0; row < count; ++row)
    for (std::size_t i = 0; i < blocks; ++i) {
      const std::size_t begin = i * block, at = row * blocks + i;
      const auto values = filled_up(rows.subspan(row * width + begin, std::min(block, width - begin)), block, room);
      const BlockScale scale = format.shifted ? shifted_scale(values, kernels) : middle_scale(values, format.bits, kernels);
      out.scales[at] = scale.scale;
      write_codes(values, scale, out.codes.data() + at * bytes);
      if (format.shifted) out.zero_points[row * zero_bytes + i / 2] |= std::byte(static_cast<unsigned>(scale.zero_point) << i % 2 * 4);
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
