#include "fastvlm/onnx/data_layout.h"

#include <fmt/format.h>

namespace fastvlm {
namespace {

std::string key_of(const WeightPtr& weight, Dtype dtype) { return fmt::format("{}:{}", name(dtype), weight->identity()); }

std::uint64_t bytes_of(const WeightPtr& weight, Dtype dtype) {
  return static_cast<std::uint64_t>(element_count(weight->shape())) * byte_size(dtype);
}

}  // namespace

void DataLayout::place(const WeightPtr& weight, const std::string& name, Dtype dtype, const std::string& file) {
  auto [at, added] = index_.try_emplace(key_of(weight, dtype), weights_.size());
  if (!added) return;
  std::uint64_t& size = sizes_[file];
  const std::uint64_t offset = (size + kDataAlignment - 1) / kDataAlignment * kDataAlignment;
  const std::uint64_t bytes = bytes_of(weight, dtype);
  weights_.push_back({.name = name, .weight = weight, .dtype = dtype, .place = {.file = file, .offset = offset, .bytes = bytes}});
  size = offset + bytes;
}

void DataLayout::place_graph(const Graph& graph, const std::string& file) {
  for (const ValueInfo& value : graph.values())
    if (value.weight != nullptr && bytes_of(value.weight, value.dtype) > kInlineBytes) place(value.weight, value.name, value.dtype, file);
}

const WeightPlace* DataLayout::find(const WeightPtr& weight, Dtype dtype) const {
  auto at = index_.find(key_of(weight, dtype));
  return at == index_.end() ? nullptr : &weights_[at->second].place;
}

}  // namespace fastvlm
