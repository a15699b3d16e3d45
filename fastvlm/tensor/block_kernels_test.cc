#include "fastvlm/tensor/block_kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "fastvlm/tensor/convert.h"

namespace fastvlm {
namespace {

// Blocks of ordinary weights, of any bits at all, at both ends of half precision, and with a scale that is rounded to even.
std::vector<std::vector<float>> many_blocks() {
  std::mt19937 random(11);
  std::normal_distribution<float> normal(0, 0.02f);
  std::vector<std::vector<float>> blocks;
  for (int i = 0; i < 4000; ++i) {
    std::vector<float> block(std::size_t{16} << i % 4);
    const float between = 1 + static_cast<float>(2 * i + 1) * 0x1p-11f;  // a scale in the middle of two halves
    for (float& value : block) {
      const auto bits = static_cast<std::uint32_t>(random());
      switch (i / 4 % 5) {
        case 0: value = normal(random); break;
        case 1: value = std::bit_cast<float>(bits); break;
        case 2: value = std::bit_cast<float>((bits & 0x80FFFFFFu) | (i % 3 == 0 ? 0x33000000u : 0x37000000u)); break;
        case 3: value = (static_cast<float>(bits % 15) - 7) * between; break;
        default: value = std::bit_cast<float>((bits & 0x80FFFFFFu) | 0x47000000u); break;
      }
    }
    if (i % 50 == 1) block[3] = std::numeric_limits<float>::quiet_NaN();
    if (i % 50 == 2) block[5] = -std::numeric_limits<float>::infinity();
    if (i % 50 == 3) std::ranges::fill(block, -0.0f);
    blocks.push_back(std::move(block));
  }
  return blocks;
}

TEST(BlockKernels, GiveTheSameBitsOnEveryProcessor) {
  const BlockKernels &plain = kPlainBlockKernels, &best = best_block_kernels();
  for (const std::vector<float>& block : many_blocks()) {
    const Extremes extremes = plain.extremes(block), others = best.extremes(block);
    ASSERT_EQ(extremes.low, others.low);
    ASSERT_EQ(extremes.high, others.high);
    const float largest = std::max(-extremes.low, extremes.high);
    const TriedScale none, tried = largest == 0 ? none : plain.best_scale(block, largest);
    const TriedScale other = largest == 0 ? none : best.best_scale(block, largest);
    ASSERT_EQ(tried.scale, other.scale) << "largest magnitude " << largest;
    ASSERT_TRUE(tried.error == other.error || (std::isnan(tried.error) && std::isnan(other.error))) << tried.error << ", " << other.error;
    for (const float zero_point : {0.0f, 8.0f, 128.0f})
      for (const auto write : {&BlockKernels::write_nibbles, &BlockKernels::write_bytes}) {
        std::vector<std::byte> codes(block.size()), other_codes(block.size());
        (plain.*write)(block, {.scale = tried.scale, .zero_point = zero_point}, codes.data());
        (best.*write)(block, {.scale = tried.scale, .zero_point = zero_point}, other_codes.data());
        ASSERT_EQ(codes, other_codes) << "scale " << tried.scale << ", zero point " << zero_point;
      }
  }
}

TEST(BlockKernels, ABlockThatHasNoErrorsToCompareTakesTheScaleThatReachesTheLargest) {
  std::vector<float> block(32, 0.5f);
  block[7] = std::numeric_limits<float>::quiet_NaN();
  for (const BlockKernels* kernels : {&kPlainBlockKernels, &best_block_kernels()})
    EXPECT_EQ(kernels->best_scale(block, 0.5f).scale, usable_scale(0.5f / 7));
}

TEST(BlockKernels, AUsableScaleIsWhatHalfPrecisionMakesOfIt) {
  const float smallest = float16_to_float(1), largest = float16_to_float(0x7BFF);
  for (std::uint32_t bits = 1; bits < 0x7F800000u; bits += 4093) {
    const float scale = std::bit_cast<float>(bits);
    ASSERT_EQ(usable_scale(scale), std::clamp(float16_to_float(float_to_float16(scale)), smallest, largest)) << scale;
  }
}

}  // namespace
}  // namespace fastvlm
