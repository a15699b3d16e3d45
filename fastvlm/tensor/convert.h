// Conversions between the element types of weights. All are exact or round to nearest even; none depends on the machine.
#pragma once

#include <bit>
#include <cstdint>
#include <span>

#include "fastvlm/tensor/tensor.h"

namespace fastvlm {

inline float bfloat16_to_float(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }
std::uint16_t float_to_bfloat16(float value);
float float16_to_float(std::uint16_t bits);
std::uint16_t float_to_float16(float value);  // infinity above 65504 (after rounding)

// Source elements of a floating type to float32. `bytes` need not be aligned.
void to_float32(Dtype source, std::span<const std::byte> bytes, std::span<float> out);

// What a conversion to a narrower type lost.
struct CastLosses {
  std::int64_t overflowed = 0;  // finite before, infinite after
  std::int64_t vanished = 0;    // not zero before, zero after
  std::int64_t not_finite = 0;  // NaN or infinite before
  bool any() const { return overflowed + vanished + not_finite > 0; }
  void add(const CastLosses& other) {
    overflowed += other.overflowed;
    vanished += other.vanished;
    not_finite += other.not_finite;
  }
};

// NaN and infinite values among these.
CastLosses count_not_finite(std::span<const float> values);

// float32 to float32 or float16 bytes; counts losses.
CastLosses from_float32(std::span<const float> values, Dtype target, std::span<std::byte> out);

// A float16/bfloat16/float32/float64 tensor as float32.
Tensor to_float32(const TensorView& source);
// A float32 tensor as `target` (float32 or float16).
Tensor cast_to(const Tensor& source, Dtype target);

}  // namespace fastvlm
