// Shapes and owned tensors in row-major order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "fastvlm/base/assert.h"
#include "fastvlm/tensor/dtype.h"

namespace fastvlm {

using Shape = std::vector<std::int64_t>;

// Product of the extents, or nothing when an extent is negative or the product passes 2^62.
std::optional<std::int64_t> checked_element_count(std::span<const std::int64_t> shape);

// Product of the extents of a shape that is known to be sane.
std::int64_t element_count(std::span<const std::int64_t> shape);

// "[1, 3, 256, 256]"
std::string to_string(std::span<const std::int64_t> shape);

// Bytes that somebody else owns.
struct TensorView {
  Dtype dtype = Dtype::kFloat32;
  Shape shape;
  std::span<const std::byte> bytes;
};

struct Tensor {
  Dtype dtype = Dtype::kFloat32;
  Shape shape;
  std::vector<std::byte> bytes;

  static Tensor zeros(Dtype dtype, Shape shape);
  static Tensor of_floats(Shape shape, std::span<const float> values);
  static Tensor of_int64(Shape shape, std::span<const std::int64_t> values);

  std::int64_t size() const { return element_count(shape); }
  TensorView view() const { return {dtype, shape, bytes}; }

  // The elements of a tensor of exactly that type; another type is our own bug.
  template <class T>
  std::span<const T> as(Dtype expected) const {
    FASTVLM_ASSERT(dtype == expected, "element type of the tensor");
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
  template <class T>
  std::span<T> as(Dtype expected) {
    FASTVLM_ASSERT(dtype == expected, "element type of the tensor");
    return {reinterpret_cast<T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
  std::span<const float> floats() const { return as<float>(Dtype::kFloat32); }
  std::span<float> floats() { return as<float>(Dtype::kFloat32); }
  std::span<const std::int64_t> int64s() const { return as<std::int64_t>(Dtype::kInt64); }
};

// A tensor with the name it has in a graph or file.
struct NamedTensor {
  std::string name;
  Tensor tensor;
};
struct NamedTensorView {
  std::string name;
  TensorView view;
};

}  // namespace fastvlm
