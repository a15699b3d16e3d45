#include "fastvlm/image/resize_kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <cstring>

// Built for AVX2 function by function and chosen at run time; the program itself needs no more than x86-64.

namespace fastvlm {
namespace {

// Of 16 bytes twice: pixels 0 and 1 (or 2 and 3) as two times four 32-bit lanes, red, green, blue and zero.
struct Spread {
  __m256i first, second;
};

[[gnu::target("avx2")]] Spread spread() {
  return {_mm256_setr_epi8(0, -1, -1, -1, 1, -1, -1, -1, 2, -1, -1, -1, -1, -1, -1, -1,  //
                           3, -1, -1, -1, 4, -1, -1, -1, 5, -1, -1, -1, -1, -1, -1, -1),
          _mm256_setr_epi8(6, -1, -1, -1, 7, -1, -1, -1, 8, -1, -1, -1, -1, -1, -1, -1,  //
                           9, -1, -1, -1, 10, -1, -1, -1, 11, -1, -1, -1, -1, -1, -1, -1)};
}

// Adds four pixels, weighted, to the sums of a row.
[[gnu::target("avx2"), gnu::always_inline]] inline __m256i add_pixels(__m256i sums, const std::uint8_t* from, const Spread& spread,
                                                                      const Spread& weights) {
  const __m256i pixels = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  const __m256i first = _mm256_mullo_epi32(_mm256_shuffle_epi8(pixels, spread.first), weights.first);
  const __m256i second = _mm256_mullo_epi32(_mm256_shuffle_epi8(pixels, spread.second), weights.second);
  return _mm256_add_epi32(sums, _mm256_add_epi32(first, second));
}

// Writes one pixel and a fourth byte, which the next pixel overwrites.
[[gnu::target("avx2"), gnu::always_inline]] inline void store_pixel(__m256i sums, std::uint8_t* to) {
  __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
  sum = _mm_srai_epi32(_mm_add_epi32(sum, _mm_set1_epi32(kHalfWeight)), kWeightBits);
  sum = _mm_packs_epi32(sum, sum);
  const std::int32_t bytes = _mm_cvtsi128_si32(_mm_packus_epi16(sum, sum));
  std::memcpy(to, &bytes, sizeof bytes);
}

[[gnu::target("avx2")]] void resize_rows_avx2(const AxisWeights& across, const std::uint8_t* const* from, std::uint8_t* const* to) {
  static_assert(kRowsAtOnce == 4 && AxisWeights::kGroup == 4);
  const Spread bytes = spread();
  const __m256i zeros_and_ones = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1);
  const __m256i twos_and_threes = _mm256_setr_epi32(2, 2, 2, 2, 3, 3, 3, 3);
  std::size_t at = 0;
  for (const AxisWeights::Output& output : across.outputs) {
    __m256i sum0 = _mm256_setzero_si256(), sum1 = sum0, sum2 = sum0, sum3 = sum0;
    const std::int32_t* weight = across.weights.data() + output.weight;
    std::size_t pixel = static_cast<std::size_t>(output.begin) * 3;
    for (int i = 0; i < output.count; i += 4, weight += 4, pixel += 12) {
      const __m256i four = _mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(weight)));
      const Spread weights = {_mm256_permutevar8x32_epi32(four, zeros_and_ones), _mm256_permutevar8x32_epi32(four, twos_and_threes)};
      sum0 = add_pixels(sum0, from[0] + pixel, bytes, weights);
      sum1 = add_pixels(sum1, from[1] + pixel, bytes, weights);
      sum2 = add_pixels(sum2, from[2] + pixel, bytes, weights);
      sum3 = add_pixels(sum3, from[3] + pixel, bytes, weights);
    }
    store_pixel(sum0, to[0] + at);
    store_pixel(sum1, to[1] + at);
    store_pixel(sum2, to[2] + at);
    store_pixel(sum3, to[3] + at);
    at += 3;
  }
}

[[gnu::target("avx2"), gnu::always_inline]] inline __m256i add_bytes(__m256i sums, const std::uint8_t* from, __m256i weight) {
  const __m256i bytes = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
  return _mm256_add_epi32(sums, _mm256_mullo_epi32(bytes, weight));
}

[[gnu::target("avx2")]] void sum_rows_avx2(const WeightedRows& rows, std::uint8_t* to, std::size_t length) {
  constexpr std::size_t kBlock = 32;
  std::size_t i = 0;
  for (; i + kBlock <= length; i += kBlock) {
    __m256i sum0 = _mm256_set1_epi32(kHalfWeight), sum1 = sum0, sum2 = sum0, sum3 = sum0;
    const std::uint8_t* from = rows.from + i;
    for (int k = 0; k < rows.count; ++k, from += rows.stride) {
      const __m256i weight = _mm256_set1_epi32(rows.weights[k]);
      sum0 = add_bytes(sum0, from, weight);
      sum1 = add_bytes(sum1, from + 8, weight);
      sum2 = add_bytes(sum2, from + 16, weight);
      sum3 = add_bytes(sum3, from + 24, weight);
    }
    // Packing works on the halves of a register apart; the permutation puts the eight groups of four back in order.
    const __m256i low = _mm256_packs_epi32(_mm256_srai_epi32(sum0, kWeightBits), _mm256_srai_epi32(sum1, kWeightBits));
    const __m256i high = _mm256_packs_epi32(_mm256_srai_epi32(sum2, kWeightBits), _mm256_srai_epi32(sum3, kWeightBits));
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(low, high), order);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i), bytes);
  }
  WeightedRows rest = rows;
  rest.from += i;
  if (i < length) kPlainKernels.sum_rows(rest, to + i, length - i);
}

constexpr ResizeKernels kAvx2Kernels = {.resize_rows = resize_rows_avx2, .sum_rows = sum_rows_avx2};

}  // namespace

const ResizeKernels& best_kernels() { return __builtin_cpu_supports("avx2") ? kAvx2Kernels : kPlainKernels; }

}  // namespace fastvlm

#else

namespace fastvlm {
const ResizeKernels& best_kernels() { return kPlainKernels; }
}  // namespace fastvlm

#endif
