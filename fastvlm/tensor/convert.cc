#include "fastvlm/tensor/convert.h"

#include <algorithm>
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

constexpr std::size_t kBlock = 4096;  // 32 bits count what is lost in it

CastLosses to_halves(std::span<const float> values, std::byte* out) {
  std::uint32_t overflowed = 0, vanished = 0, not_finite = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint16_t half = float_to_float16(values[i]);
    std::memcpy(out + 2 * i, &half, 2);
    const std::uint32_t magnitude = std::bit_cast<std::uint32_t>(values[i]) & 0x7FFFFFFFu, rounded = half & 0x7FFFu;
    const std::uint32_t is_finite = magnitude < 0x7F800000u ? 1 : 0;
    not_finite += 1 - is_finite;
    overflowed += (rounded == 0x7C00u ? 1u : 0u) & is_finite;
    vanished += (rounded == 0 ? 1u : 0u) & (magnitude != 0 ? 1u : 0u);
  }
  return {.overflowed = overflowed, .vanished = vanished, .not_finite = not_finite};
}

}  // namespace

std::uint16_t float_to_bfloat16(float value) {
  auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>((bits >> 16) | 0x40);
  return static_cast<std::uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

// Without branches, so that the compiler makes vectors of a loop over it.
float float16_to_float(std::uint16_t bits) {
  const std::uint32_t sign = (std::uint32_t{bits} & 0x8000u) << 16;
  const std::uint32_t magnitude = bits & 0x7FFFu;
  // Moving the exponent by multiplying makes subnormal numbers come out right without a special case.
  const auto finite = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude << 13) * 0x1p112f);
  const std::uint32_t special = 0x7F800000u | (magnitude << 13);
  return std::bit_cast<float>(sign | (magnitude >= 0x7C00u ? special : finite));
}

std::uint16_t float_to_float16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16) & 0x8000u;
  const std::uint32_t magnitude = bits & 0x7FFFFFFFu;
  // Below 2^-14 the addition rounds at the right bit.
  const std::uint32_t small = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3F000000u;
  const std::uint32_t normal = (magnitude + 0xFFFu + ((magnitude >> 13) & 1u) - 0x38000000u) >> 13;
  std::uint32_t half = magnitude < 0x38800000u ? small : normal;
  half = magnitude >= 0x477FF000u ? 0x7C00u : half;  // 65520 and above round to infinity
  half = magnitude > 0x7F800000u ? 0x7E00u : half;
  return static_cast<std::uint16_t>(sign | half);
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
  FASTVLM_ASSERT(target == Dtype::kFloat16, "a target of float32 or float16");
  CastLosses losses;
  for (std::size_t begin = 0; begin < values.size(); begin += kBlock) {
    const std::span<const float> block = values.subspan(begin, std::min(kBlock, values.size() - begin));
    losses.add(to_halves(block, out.data() + 2 * begin));
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
