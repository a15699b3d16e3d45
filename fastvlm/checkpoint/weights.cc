#include "fastvlm/checkpoint/weights.h"

#include <algorithm>

#include "fastvlm/base/model_error.h"
#include "fastvlm/base/try.h"

namespace fastvlm {

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
  if (tensor == nullptr)
    model_error("weight", path, "the checkpoint {} has no such tensor; {}", checkpoint_->folder().string(), checkpoint_->instead_of(path));
  if (tensor->shape != shape)
    model_error("weight", path, "tensor \"{}\" of {} has shape {}, expected {}", tensor->file_name,
                tensor->file == nullptr ? "config.json" : tensor->file->path().filename().string(), to_string(tensor->shape),
                to_string(shape));
  if (!is_float(tensor->dtype))
    model_error("weight", path, "tensor \"{}\" holds {}, a floating type was expected", tensor->file_name, fastvlm::name(tensor->dtype));
  taken_->insert(path);
  return *tensor;
}

WeightPtr Weights::take(std::string_view name, const Shape& shape) const {
  const CheckpointTensor& tensor = require(name, shape);
  return checkpoint_->weight(tensor);
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
