#include "fastvlm/tensor/tensor.h"

#include <fmt/format.h>

#include <cstring>

namespace fastvlm {

std::optional<std::int64_t> checked_element_count(std::span<const std::int64_t> shape) {
  std::int64_t count = 1;
  for (std::int64_t extent : shape) {
    if (extent < 0 || __builtin_mul_overflow(count, extent, &count)) return std::nullopt;
    if (count > (std::int64_t{1} << 62)) return std::nullopt;
  }
  return count;
}

std::int64_t element_count(std::span<const std::int64_t> shape) {
  auto count = checked_element_count(shape);
  FASTVLM_ASSERT(count.has_value(), "element count of a checked shape");
  return *count;
}

std::string to_string(std::span<const std::int64_t> shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

Tensor Tensor::zeros(Dtype dtype, Shape shape) {
  std::size_t bytes = static_cast<std::size_t>(element_count(shape)) * byte_size(dtype);
  return {dtype, std::move(shape), std::vector<std::byte>(bytes)};
}

Tensor Tensor::of_floats(Shape shape, std::span<const float> values) {
  Tensor tensor = zeros(Dtype::kFloat32, std::move(shape));
  FASTVLM_ASSERT(tensor.bytes.size() == values.size_bytes(), "as many values as the shape says");
  if (!values.empty()) std::memcpy(tensor.bytes.data(), values.data(), values.size_bytes());
  return tensor;
}

Tensor Tensor::of_int64(Shape shape, std::span<const std::int64_t> values) {
  Tensor tensor = zeros(Dtype::kInt64, std::move(shape));
  FASTVLM_ASSERT(tensor.bytes.size() == values.size_bytes(), "as many values as the shape says");
  if (!values.empty()) std::memcpy(tensor.bytes.data(), values.data(), values.size_bytes());
  return tensor;
}

}  // namespace fastvlm
