// Small tensors of integer codes: the constants of graphs with integer activations.
#pragma once

#include <cstring>
#include <vector>

#include "fastvlm/graph/encoding.h"
#include "fastvlm/tensor/tensor.h"

namespace fastvlm {

template <class T>
Tensor integer_tensor(Dtype dtype, Shape shape, const std::vector<T>& values) {
  Tensor tensor{.dtype = dtype, .shape = std::move(shape), .bytes = std::vector<std::byte>(values.size() * sizeof(T))};
  std::memcpy(tensor.bytes.data(), values.data(), tensor.bytes.size());
  return tensor;
}

// Half to even; what lies outside of the codes gets the nearest one. uint8, int16, int32 and uint16.
Tensor codes_of(const std::vector<float>& numbers, const Encoding& encoding, Shape shape);

// The code of zero, a scalar.
Tensor zero_point_tensor(const Encoding& encoding);

// uint8 over the range of the numbers.
Encoding byte_encoding(const std::vector<float>& numbers);
// int32 with a bit to spare.
Encoding bias_encoding(const std::vector<float>& numbers);

}  // namespace fastvlm
