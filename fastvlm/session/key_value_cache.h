// Keys and values of the tokens so far, layer by layer, in the element type of the graphs. For one new token both are an input as
// they lie.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <vector>

#include "fastvlm/tensor/tensor.h"

namespace fastvlm {

class KeyValueCache {
 public:
  std::int64_t heads = 0;
  std::int64_t head_dim = 0;
  Dtype dtype = Dtype::kFloat32;

  std::int64_t layers() const { return static_cast<std::int64_t>(layers_.size()); }
  bool has(std::int64_t layer) const { return layers_.contains(layer); }
  void add_layer(std::int64_t layer) { layers_[layer]; }
  // Whether they are numbered from 0 without a gap.
  bool is_complete() const { return !layers_.empty() && layers_.begin()->first == 0 && layers_.rbegin()->first == layers() - 1; }

  std::int64_t slots() const { return slots_; }
  // Room for as many tokens, of which the first `kept` stay; the other slots hold zeros.
  void resize(std::int64_t slots, std::int64_t kept);
  void clear();  // every slot to zero

  // Keys [heads, head_dim, slots], values [heads, slots, head_dim].
  std::span<const std::byte> bytes(bool key, std::int64_t layer) const;
  // The first `count` tokens in a tensor of this shape, the last two axes being those of an input with more or fewer slots.
  Tensor copy_of(bool key, std::int64_t layer, const Shape& shape, std::int64_t count) const;
  // Rows from `position` on; tensor: [heads, 1, head_dim, tokens] or [heads, 1, tokens, head_dim]. What finds no slot is left out.
  struct Rows {
    std::int64_t position = 0;
    std::int64_t count = 0;
  };
  void store(bool key, std::int64_t layer, const Tensor& tensor, const Rows& rows);

  // The first `count` tokens as float32 [heads, count, head_dim].
  Tensor floats(bool key, std::int64_t layer, std::int64_t count) const;

 private:
  struct Layer {
    std::vector<std::byte> key;
    std::vector<std::byte> value;
  };
  std::int64_t slot_bytes(bool key) const { return static_cast<std::int64_t>(byte_size(dtype)) * (key ? 1 : head_dim); }
  std::int64_t runs(bool key) const { return key ? heads * head_dim : heads; }

  std::int64_t slots_ = 0;
  std::map<std::int64_t, Layer> layers_;
};

}  // namespace fastvlm
