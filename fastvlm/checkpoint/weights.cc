#include "fastvlm/checkpoint/weights.h"

#include <algorithm>

#include "fastvlm/base/model_error.h"
#include "fastvlm/base/try.h"
#include "fastvlm/tensor/convert.h"

namespace fastvlm {
namespace {

// Reads rectangles with pread: whole rows in one call, narrower ones row by row.
std::shared_ptr<const MatrixSource> source_of(const CheckpointTensor& tensor) {
  auto source = std::make_shared<MatrixSource>();
  source->rows = tensor.shape.empty() ? 1 : tensor.shape[0];
  source->columns = source->rows == 0 ? 0 : element_count(tensor.shape) / source->rows;
  source->read = [&tensor, columns = source->columns](std::int64_t r0, std::int64_t r1, std::int64_t c0, std::int64_t c1,
                                                      std::span<float> out) -> Status {
    const auto size = static_cast<std::int64_t>(byte_size(tensor.dtype));
    const bool whole = c0 == 0 && c1 == columns;
    const std::int64_t width = whole ? (r1 - r0) * columns : c1 - c0;
    const std::int64_t pieces = whole ? 1 : r1 - r0;
    thread_local std::vector<std::byte> buffer;  // kept by the thread from piece to piece
    if (buffer.size() < static_cast<std::size_t>(width * size)) buffer.resize(static_cast<std::size_t>(width * size));
    const auto bytes = std::span(buffer).first(static_cast<std::size_t>(width * size));
    for (std::int64_t piece = 0; piece < pieces; ++piece) {
      auto offset = static_cast<std::uint64_t>(((r0 + piece) * columns + c0) * size);
      TRY(tensor.file->read_at(tensor.offset + offset, bytes));
      to_float32(tensor.dtype, bytes, out.subspan(static_cast<std::size_t>(piece * width), static_cast<std::size_t>(width)));
    }
    return {};
  };
  return source;
}

}  // namespace

Weights::Weights(const Checkpoint& checkpoint) : checkpoint_(&checkpoint), taken_(std::make_shared<std::set<std::string>>()) {}

Weights Weights::at(std::string_view name) const {
  Weights child = *this;
  if (!child.path_.empty()) child.path_ += '.';
  child.path_ += name;
  return child;
}

bool Weights::has_module(std::string_view name) const {
  const std::string prefix = at(name).path_ + ".";
  const auto& tensors = checkpoint_->tensors();
  auto at = std::lower_bound(tensors.begin(), tensors.end(), prefix,
                             [](const CheckpointTensor& tensor, const std::string& key) { return tensor.name < key; });
  return at != tensors.end() && at->name.starts_with(prefix);
}

const CheckpointTensor* Weights::find(std::string_view name) const { return checkpoint_->find(at(name).path_); }

const CheckpointTensor& Weights::require(std::string_view name, const Shape& shape) const {
  const std::string path = at(name).path_;
  const CheckpointTensor* tensor = checkpoint_->find(path);
  if (tensor == nullptr) model_error("weight", path, "the checkpoint {} has no such tensor", checkpoint_->folder().string());
  if (tensor->shape != shape)
    model_error("weight", path, "tensor \"{}\" of {} has shape {}, expected {}", tensor->file_name,
                tensor->file->path().filename().string(), to_string(tensor->shape), to_string(shape));
  if (!is_float(tensor->dtype))
    model_error("weight", path, "tensor \"{}\" holds {}, a floating type was expected", tensor->file_name, fastvlm::name(tensor->dtype));
  taken_->insert(path);
  return *tensor;
}

WeightPtr Weights::take(std::string_view name, const Shape& shape) const {
  const CheckpointTensor& tensor = require(name, shape);
  return Weight::of_source(shape, source_of(tensor), {tensor.file_name}, "");
}

std::vector<float> Weights::take_values(std::string_view name, const Shape& shape) const {
  auto values = checkpoint_->read(require(name, shape));
  if (!values.ok()) throw ModelError(values.error().message);
  return std::move(values).value();
}

std::vector<std::string> Weights::leftovers() const {
  std::vector<std::string> names;
  for (const CheckpointTensor& tensor : checkpoint_->tensors())
    if (!taken_->contains(tensor.name)) names.push_back(tensor.name);
  return names;
}

}  // namespace fastvlm
