#include "fastvlm/quant/codes.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "fastvlm/quant/activation_encodings.h"

namespace fastvlm {
namespace {

template <class T>
Tensor codes_as(const std::vector<float>& numbers, const Encoding& encoding, Shape shape) {
  constexpr double kLeast = std::numeric_limits<T>::min(), kMost = std::numeric_limits<T>::max();
  std::vector<T> codes;
  for (const float number : numbers)
    codes.push_back(static_cast<T>(std::clamp(std::nearbyint(double{number} / encoding.scale) + encoding.zero_point, kLeast, kMost)));
  return integer_tensor<T>(encoding.dtype, std::move(shape), codes);
}

}  // namespace

Tensor codes_of(const std::vector<float>& numbers, const Encoding& encoding, Shape shape) {
  switch (encoding.dtype) {
    case Dtype::kUint8: return codes_as<std::uint8_t>(numbers, encoding, std::move(shape));
    case Dtype::kInt16: return codes_as<std::int16_t>(numbers, encoding, std::move(shape));
    case Dtype::kInt32: return codes_as<std::int32_t>(numbers, encoding, std::move(shape));
    default: return codes_as<std::uint16_t>(numbers, encoding, std::move(shape));
  }
}

Tensor zero_point_tensor(const Encoding& encoding) { return codes_of({0}, encoding, {}); }

Encoding byte_encoding(const std::vector<float>& numbers) {
  const auto [least, most] = std::ranges::minmax(numbers);
  return asymmetric_encoding({least, most}, Dtype::kUint8);
}

Encoding bias_encoding(const std::vector<float>& numbers) {
  float largest = 0;
  for (const float number : numbers) largest = std::max(largest, std::fabs(number));
  return {.dtype = Dtype::kInt32, .scale = largest > 0 ? largest / 0x1p30F : 1};
}

}  // namespace fastvlm
