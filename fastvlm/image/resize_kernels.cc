#include "fastvlm/image/resize_kernels.h"

#include <algorithm>

namespace fastvlm {
namespace {

void resize_rows_plain(const AxisWeights& across, const std::uint8_t* const* from, std::uint8_t* const* to) {
  for (int row = 0; row < kRowsAtOnce; ++row) {
    std::uint8_t* out = to[row];
    for (const AxisWeights::Output& output : across.outputs) {
      const std::uint8_t* pixel = from[row] + static_cast<std::size_t>(output.begin) * 3;
      const std::int32_t* weights = across.weights.data() + output.weight;
      std::int32_t red = kHalfWeight, green = kHalfWeight, blue = kHalfWeight;
      for (int i = 0; i < output.count; ++i, pixel += 3) {
        red += pixel[0] * weights[i];
        green += pixel[1] * weights[i];
        blue += pixel[2] * weights[i];
      }
      *out++ = sum_to_byte(red);
      *out++ = sum_to_byte(green);
      *out++ = sum_to_byte(blue);
    }
  }
}

void sum_rows_plain(const WeightedRows& rows, std::uint8_t* to, std::size_t length) {
  // Blocks of a fixed length, so that the compiler makes vectors of them.
  constexpr std::size_t kBlock = 64;
  for (std::size_t i = 0; i < length; i += kBlock) {
    const std::size_t width = std::min(kBlock, length - i);
    std::int32_t sums[kBlock];
    std::fill(sums, sums + kBlock, kHalfWeight);
    const std::uint8_t* from = rows.from + i;
    for (int k = 0; k < rows.count; ++k, from += rows.stride) {
      const std::int32_t weight = rows.weights[k];
      if (width == kBlock)
        for (std::size_t j = 0; j < kBlock; ++j) sums[j] += from[j] * weight;
      else
        for (std::size_t j = 0; j < width; ++j) sums[j] += from[j] * weight;
    }
    for (std::size_t j = 0; j < width; ++j) to[i + j] = sum_to_byte(sums[j]);
  }
}

}  // namespace

const ResizeKernels kPlainKernels = {.resize_rows = resize_rows_plain, .sum_rows = sum_rows_plain};

}  // namespace fastvlm
