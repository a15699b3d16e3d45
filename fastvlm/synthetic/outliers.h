// Outliers such as trained models have, in a model that computes the same: a few channels are made larger by a power of two where
// they are made, and smaller by the same where they are read. In the decoder behind norms, in keys (for whose biases Qwen2 is known),
// values and MLPs; in the tower before MLPs and attention.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fastvlm/base/result.h"
#include "fastvlm/tensor/tensor.h"

namespace fastvlm {

struct OutlierModel {
  std::uint64_t seed = 0;  // says which channels
  std::int64_t num_attention_heads = 0, num_key_value_heads = 0, head_dim = 0;
  std::set<std::string, std::less<>> names{};  // canonical, of all tensors: what is made or read by none of these has no outliers
};

// By what power of two each row and each column of a tensor is multiplied; empty: none is.
struct ChannelPowers {
  std::vector<int> rows, columns;
};

// Of a tensor with this canonical name (checkpoint/dialect.h) and shape, outputs first.
ChannelPowers outlier_powers(const OutlierModel& model, std::string_view canonical, const Shape& shape);

// Multiplies elements first, first + 1, … of a tensor, in place; exact. Error: a number leaves the range of its type, or the type is none
// of float32, float16 and bfloat16. `what` names the tensor in messages.
struct TensorPiece {
  Dtype dtype = Dtype::kBfloat16;
  Shape shape;
  std::uint64_t first = 0;
};
Status multiply_channels(const ChannelPowers& powers, const TensorPiece& piece, std::span<std::byte> elements, std::string_view what);

}  // namespace fastvlm
