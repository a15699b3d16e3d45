#include "fastvlm/session/key_value_cache.h"

#include <algorithm>
#include <cstring>

#include "fastvlm/tensor/convert.h"

namespace fastvlm {
namespace {

// Copies `count` runs of `bytes` bytes that lie `from_step` and `to_step` bytes apart.
struct Runs {
  std::int64_t count = 0;
  std::int64_t bytes = 0;
  std::int64_t from_step = 0;
  std::int64_t to_step = 0;
};
void copy_runs(const std::byte* from, std::byte* to, const Runs& runs) {
  if (runs.bytes <= 0) return;
  for (std::int64_t i = 0; i < runs.count; ++i)
    std::memcpy(to + i * runs.to_step, from + i * runs.from_step, static_cast<std::size_t>(runs.bytes));
}

}  // namespace

void KeyValueCache::resize(std::int64_t slots, std::int64_t kept) {
  FASTVLM_ASSERT(kept >= 0 && kept <= slots && kept <= slots_, "tokens that are there and have room");
  if (slots == slots_) return;
  for (auto& [index, layer] : layers_)
    for (const bool key : {true, false}) {
      std::vector<std::byte>& old = key ? layer.key : layer.value;
      const std::int64_t slot = slot_bytes(key);
      std::vector<std::byte> made(static_cast<std::size_t>(runs(key) * slots * slot));
      copy_runs(old.data(), made.data(), {.count = runs(key), .bytes = kept * slot, .from_step = slots_ * slot, .to_step = slots * slot});
      old = std::move(made);
    }
  slots_ = slots;
}

void KeyValueCache::clear() {
  for (auto& [index, layer] : layers_) {
    std::ranges::fill(layer.key, std::byte{0});
    std::ranges::fill(layer.value, std::byte{0});
  }
}

std::span<const std::byte> KeyValueCache::bytes(bool key, std::int64_t layer) const {
  const Layer& found = layers_.at(layer);
  return key ? found.key : found.value;
}

Tensor KeyValueCache::copy_of(bool key, std::int64_t layer, const Shape& shape, std::int64_t count) const {
  Tensor copy = Tensor::zeros(dtype, shape);
  const std::int64_t slot = slot_bytes(key), slots = shape[key ? 3 : 2];
  copy_runs(bytes(key, layer).data(), copy.bytes.data(),
            {.count = runs(key), .bytes = count * slot, .from_step = slots_ * slot, .to_step = slots * slot});
  return copy;
}

void KeyValueCache::store(bool key, std::int64_t layer, const Tensor& tensor, const Rows& rows) {
  Layer& found = layers_.at(layer);
  const std::int64_t slot = slot_bytes(key), tokens = tensor.shape[key ? 3 : 2];
  std::byte* to = (key ? found.key : found.value).data() + rows.position * slot;
  copy_runs(tensor.bytes.data(), to,
            {.count = runs(key),
             .bytes = std::min(rows.count, slots_ - rows.position) * slot,
             .from_step = tokens * slot,
             .to_step = slots_ * slot});
}

Tensor KeyValueCache::floats(bool key, std::int64_t layer, std::int64_t count) const {
  const Shape shape = key ? Shape{heads, 1, head_dim, count} : Shape{heads, 1, count, head_dim};
  Tensor all = to_float32(copy_of(key, layer, shape, count).view());
  Tensor result = Tensor::zeros(Dtype::kFloat32, {heads, count, head_dim});
  if (!key) {
    result.bytes = std::move(all.bytes);
    return result;
  }
  const auto from = all.floats();
  const auto to = result.floats();
  for (std::int64_t head = 0; head < heads; ++head)
    for (std::int64_t d = 0; d < head_dim; ++d)
      for (std::int64_t t = 0; t < count; ++t)
        to[static_cast<std::size_t>((head * count + t) * head_dim + d)] = from[static_cast<std::size_t>((head * head_dim + d) * count + t)];
  return result;
}

}  // namespace fastvlm
