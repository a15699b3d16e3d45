#include "fastvlm/tensor/convert.h"

#include <cmath>
#include <cstring>

namespace fastvlm {
namespace {

template <class T>
T load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

template <class T, class Convert>
void convert_all(std::span<const std::byte> bytes, std::span<float> out, Convert convert) {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = convert(load<T>(bytes.data() + i * sizeof(T)));
}

}  // namespace

std::uint16_t float_to_bfloat16(float value) {
  auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>((bits >> 16) | 0x40);
  return static_cast<std::uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

float float16_to_float(std::uint16_t bits) {
  std::uint32_t sign = std::uint32_t{bits & 0x8000u} << 16;
  std::uint32_t magnitude = bits & 0x7FFFu;
  if (magnitude >= 0x7C00) return std::bit_cast<float>(sign | 0x7F800000u | ((magnitude & 0x3FFu) << 13));
  // Moving the exponent by multiplying makes subnormal numbers come out right without a special case.
  float value = std::bit_cast<float>(magnitude << 13) * 0x1p112f;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) | sign);
}

std::uint16_t float_to_float16(float value) {
  auto bits = std::bit_cast<std::uint32_t>(value);
  auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000u);
  std::uint32_t magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u) return sign | 0x7E00u;
  if (magnitude >= 0x477FF000u) return sign | 0x7C00u;  // 65520 and above round to infinity
  if (magnitude < 0x38800000u) {                        // below 2^-14: the addition rounds at the right bit
    float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3F000000u));
  }
  std::uint32_t rounded = magnitude + 0xFFFu + ((magnitude >> 13) & 1u) - 0x38000000u;
  return static_cast<std::uint16_t>(sign | (rounded >> 13));
}

void to_float32(Dtype source, std::span<const std::byte> bytes, std::span<float> out) {
  FASTVLM_ASSERT(bytes.size() == out.size() * byte_size(source), "as many bytes as values");
  switch (source) {
    case Dtype::kFloat32: std::memcpy(out.data(), bytes.data(), bytes.size()); return;
    case Dtype::kBfloat16: return convert_all<std::uint16_t>(bytes, out, bfloat16_to_float);
    case Dtype::kFloat16: return convert_all<std::uint16_t>(bytes, out, float16_to_float);
    case Dtype::kFloat64: return convert_all<double>(bytes, out, [](double v) { return static_cast<float>(v); });
    default: FASTVLM_ASSERT(false, "a floating source type");
  }
}

CastLosses count_not_finite(std::span<const float> values) {
  std::int64_t count = 0;
  for (float v : values) count += (std::bit_cast<std::uint32_t>(v) & 0x7F800000u) == 0x7F800000u;
  return {.not_finite = count};
}

CastLosses from_float32(std::span<const float> values, Dtype target, std::span<std::byte> out) {
  FASTVLM_ASSERT(out.size() == values.size() * byte_size(target), "as many bytes as values");
  if (target == Dtype::kFloat32) {
    std::memcpy(out.data(), values.data(), out.size());
    return count_not_finite(values);
  }
  CastLosses losses;
  FASTVLM_ASSERT(target == Dtype::kFloat16, "a target of float32 or float16");
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::uint16_t half = float_to_float16(values[i]);
    std::memcpy(out.data() + 2 * i, &half, 2);
    if (!std::isfinite(values[i]))
      ++losses.not_finite;
    else if ((half & 0x7FFF) == 0x7C00)
      ++losses.overflowed;
    else if ((half & 0x7FFF) == 0 && values[i] != 0)
      ++losses.vanished;
  }
  return losses;
}

Tensor to_float32(const TensorView& source) {
  Tensor out = Tensor::zeros(Dtype::kFloat32, source.shape);
  to_float32(source.dtype, source.bytes, out.floats());
  return out;
}

Tensor cast_to(const Tensor& source, Dtype target) {
  Tensor out = Tensor::zeros(target, source.shape);
  from_float32(source.floats(), target, out.bytes);
  return out;
}

}  // namespace fastvlm
