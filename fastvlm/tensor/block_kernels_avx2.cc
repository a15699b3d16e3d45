#include "fastvlm/tensor/block_kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <cstdint>

#include "fastvlm/tensor/code_rounding.h"

// Built for AVX2 function by function and chosen at run time; the program itself needs no more than x86-64.

namespace fastvlm {
namespace {

// As rounded_code().
[[gnu::target("avx2"), gnu::always_inline]] inline __m256 rounded(__m256 x) {
  const __m256 rounder = _mm256_set1_ps(kCodeRounder);
  return _mm256_sub_ps(_mm256_add_ps(x, rounder), rounder);
}

// As std::clamp(): NaN stays, being the second operand.
[[gnu::target("avx2"), gnu::always_inline]] inline __m256 clamped(__m256 x, __m256 low, __m256 high) {
  return _mm256_min_ps(high, _mm256_max_ps(low, x));
}

// As finite_or_zero().
[[gnu::target("avx2"), gnu::always_inline]] inline __m256 finite_group(const float* group) {
  const __m256 values = _mm256_loadu_ps(group);
  const __m256 magnitudes = _mm256_andnot_ps(_mm256_set1_ps(-0.0f), values);
  const __m256 infinity = _mm256_castsi256_ps(_mm256_set1_epi32(0x7F800000));
  return _mm256_and_ps(values, _mm256_cmp_ps(magnitudes, infinity, _CMP_LT_OQ));
}

[[gnu::target("avx2"), gnu::always_inline]] inline float largest_of(__m256 lanes) {
  __m128 largest = _mm_max_ps(_mm256_castps256_ps128(lanes), _mm256_extractf128_ps(lanes, 1));
  largest = _mm_max_ps(largest, _mm_movehl_ps(largest, largest));
  return _mm_cvtss_f32(_mm_max_ss(largest, _mm_movehdup_ps(largest)));
}

[[gnu::target("avx2")]] Extremes extremes_avx2(std::span<const float> block) {
  __m256 low = _mm256_setzero_ps(), high = low;
  for (std::size_t i = 0; i < block.size(); i += kGroup) {
    const __m256 values = finite_group(block.data() + i);
    low = _mm256_min_ps(low, values), high = _mm256_max_ps(high, values);
  }
  return {.low = -largest_of(_mm256_sub_ps(_mm256_setzero_ps(), low)), .high = largest_of(high)};
}

// As usable_scale().
[[gnu::target("avx2"), gnu::always_inline]] inline __m256 usable(__m256 scales) {
  const __m256 half = _mm256_set1_ps(0.5f), below_normal = _mm256_sub_ps(_mm256_add_ps(scales, half), half);
  const __m256i bits = _mm256_castps_si256(scales), odd = _mm256_and_si256(_mm256_srli_epi32(bits, 13), _mm256_set1_epi32(1));
  const __m256i moved = _mm256_add_epi32(bits, _mm256_add_epi32(_mm256_set1_epi32(0xFFF), odd));
  const __m256 normal = _mm256_castsi256_ps(_mm256_andnot_si256(_mm256_set1_epi32(0x1FFF), moved));
  const __m256 is_below = _mm256_cmp_ps(scales, _mm256_set1_ps(0x1p-14f), _CMP_LT_OQ);
  return clamped(_mm256_blendv_ps(normal, below_normal, is_below), _mm256_set1_ps(0x1p-24f), _mm256_set1_ps(65504));
}

// Adds what a number loses by each scale.
[[gnu::target("avx2"), gnu::always_inline]] inline void add_losses(__m256& sums, const float* at, __m256 scales, __m256 inverses) {
  const __m256 value = _mm256_broadcast_ss(at);
  const __m256 codes = clamped(rounded(_mm256_mul_ps(value, inverses)), _mm256_set1_ps(-8), _mm256_set1_ps(7));
  const __m256 differences = _mm256_sub_ps(_mm256_mul_ps(codes, scales), value);
  sums = _mm256_add_ps(sums, _mm256_mul_ps(differences, differences));
}

// A register holds one number with all scales, not many numbers with one: the sums of a scale are then added without moving a lane.
[[gnu::target("avx2"), gnu::always_inline]] inline __m256 squared_errors(std::span<const float> block, __m256 scales) {
  const __m256 inverses = _mm256_div_ps(_mm256_set1_ps(1), scales);
  // Not an array, which GCC 12 would write to memory again and again.
  __m256 sum0 = _mm256_setzero_ps(), sum1 = sum0, sum2 = sum0, sum3 = sum0, sum4 = sum0, sum5 = sum0, sum6 = sum0, sum7 = sum0;
  static_assert(kGroup == 8);
  for (std::size_t i = 0; i < block.size(); i += kGroup) {
    const float* group = block.data() + i;
    add_losses(sum0, group, scales, inverses);
    add_losses(sum1, group + 1, scales, inverses);
    add_losses(sum2, group + 2, scales, inverses);
    add_losses(sum3, group + 3, scales, inverses);
    add_losses(sum4, group + 4, scales, inverses);
    add_losses(sum5, group + 5, scales, inverses);
    add_losses(sum6, group + 6, scales, inverses);
    add_losses(sum7, group + 7, scales, inverses);
  }
  for (const __m256 sum : {sum1, sum2, sum3, sum4, sum5, sum6, sum7}) sum0 = _mm256_add_ps(sum0, sum);
  return sum0;
}

[[gnu::target("avx2")]] TriedScale best_scale_avx2(std::span<const float> block, float largest) {
  const __m256 reaching = _mm256_mul_ps(_mm256_set1_ps(largest), _mm256_loadu_ps(kShares.data()));
  const __m256 scales = usable(_mm256_div_ps(reaching, _mm256_set1_ps(7)));
  const __m256 errors = squared_errors(block, scales);
  __m256 least = _mm256_min_ps(errors, _mm256_permute2f128_ps(errors, errors, 1));
  least = _mm256_min_ps(least, _mm256_permute_ps(least, _MM_SHUFFLE(1, 0, 3, 2)));
  least = _mm256_min_ps(least, _mm256_permute_ps(least, _MM_SHUFFLE(2, 3, 0, 1)));
  // Where errors are no numbers none is the least; the first counts, as 32 zero bits do.
  const auto are_least = static_cast<unsigned>(_mm256_movemask_ps(_mm256_cmp_ps(errors, least, _CMP_EQ_OQ)));
  std::array<float, kGroup> tried;
  _mm256_storeu_ps(tried.data(), scales);
  return {.scale = tried[static_cast<std::size_t>(std::countr_zero(are_least)) % kGroup], .error = _mm256_cvtss_f32(least)};
}

struct CodeMaker {
  __m256 inverse, zero_point, largest;
};

[[gnu::target("avx2"), gnu::always_inline]] inline CodeMaker code_maker(BlockScale scale, float largest) {
  const float inverse = scale.scale == 0 ? 0.0f : 1 / scale.scale;
  return {_mm256_set1_ps(inverse), _mm256_set1_ps(scale.zero_point), _mm256_set1_ps(largest)};
}

// Codes of a group as 32-bit numbers.
[[gnu::target("avx2"), gnu::always_inline]] inline __m256i codes_of(const float* group, const CodeMaker& maker) {
  const __m256 codes = _mm256_add_ps(rounded(_mm256_mul_ps(finite_group(group), maker.inverse)), maker.zero_point);
  return _mm256_cvttps_epi32(clamped(codes, _mm256_setzero_ps(), maker.largest));
}

// Of two groups, 16 codes as bytes in their order.
[[gnu::target("avx2"), gnu::always_inline]] inline __m128i bytes_of(const float* groups, const CodeMaker& maker) {
  const __m256i words = _mm256_packs_epi32(codes_of(groups, maker), codes_of(groups + kGroup, maker));
  // Packing works on the halves of a register apart.
  const __m256i ordered = _mm256_permute4x64_epi64(words, _MM_SHUFFLE(3, 1, 2, 0));
  return _mm_packus_epi16(_mm256_castsi256_si128(ordered), _mm256_extracti128_si256(ordered, 1));
}

[[gnu::target("avx2")]] void write_nibbles_avx2(std::span<const float> block, BlockScale scale, std::byte* codes) {
  const CodeMaker maker = code_maker(scale, 15);
  const __m128i ones_and_sixteens = _mm_set1_epi16(1 | 16 << 8);
  for (std::size_t i = 0; i < block.size(); i += 2 * kGroup, codes += kGroup) {
    const __m128i pairs = _mm_maddubs_epi16(bytes_of(block.data() + i, maker), ones_and_sixteens);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(codes), _mm_packus_epi16(pairs, pairs));
  }
}

[[gnu::target("avx2")]] void write_bytes_avx2(std::span<const float> block, BlockScale scale, std::byte* codes) {
  const CodeMaker maker = code_maker(scale, 255);
  for (std::size_t i = 0; i < block.size(); i += 2 * kGroup, codes += 2 * kGroup)
    _mm_storeu_si128(reinterpret_cast<__m128i*>(codes), bytes_of(block.data() + i, maker));
}

constexpr BlockKernels kAvx2Kernels = {
    .extremes = extremes_avx2, .best_scale = best_scale_avx2, .write_nibbles = write_nibbles_avx2, .write_bytes = write_bytes_avx2};

}  // namespace

const BlockKernels& best_block_kernels() { return __builtin_cpu_supports("avx2") ? kAvx2Kernels : kPlainBlockKernels; }

}  // namespace fastvlm

#else

namespace fastvlm {
const BlockKernels& best_block_kernels() { return kPlainBlockKernels; }
}  // namespace fastvlm

#endif
