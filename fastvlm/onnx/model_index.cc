#include "fastvlm/onnx/model_index.h"

#include "fastvlm/tensor/convert.h"

namespace fastvlm {

OnnxIndex::OnnxIndex(const OnnxModel& model) : model_(&model) {
  for (const OnnxNode& node : model.nodes) {
    for (const std::string& output : node.outputs)
      if (!output.empty()) producers_.emplace(output, &node);
    for (const std::string& input : node.inputs)
      if (!input.empty()) users_[input].push_back(&node);
  }
  for (const OnnxNode& node : model.inner_nodes)
    for (const std::string& input : node.inputs) inner_uses_.emplace(input, true);
  for (const OnnxValue& value : model.inputs) inputs_.emplace(value.name, true);
  for (const OnnxValue& value : model.outputs) outputs_.emplace(value.name, true);
  for (const OnnxInitializer& value : model.initializers) initializers_.emplace(value.name, &value);
}

const OnnxNode* OnnxIndex::producer(const std::string& value) const {
  const auto found = producers_.find(value);
  return found == producers_.end() ? nullptr : found->second;
}

const std::vector<const OnnxNode*>& OnnxIndex::users(const std::string& value) const {
  static const std::vector<const OnnxNode*> none;
  const auto found = users_.find(value);
  return found == users_.end() ? none : found->second;
}

const OnnxInitializer* OnnxIndex::initializer(const std::string& value) const {
  const auto found = initializers_.find(value);
  return found == initializers_.end() ? nullptr : found->second;
}

bool OnnxIndex::is_constant(const std::string& value) const {
  if (initializers_.contains(value)) return true;
  const OnnxNode* node = producer(value);
  return node != nullptr && node->op == "Constant" && node->domain.empty();
}

const Tensor* OnnxIndex::constant(const std::string& value) const {
  if (const OnnxInitializer* tensor = initializer(value)) return tensor->constant ? &*tensor->constant : nullptr;
  const OnnxNode* node = producer(value);
  if (node == nullptr || node->op != "Constant") return nullptr;
  const auto found = node->attributes.find("value");
  if (found == node->attributes.end()) return nullptr;
  const auto* tensor = std::get_if<OnnxTensorAttribute>(&found->second);
  return tensor != nullptr && tensor->constant ? &*tensor->constant : nullptr;
}

std::optional<double> OnnxIndex::scalar(const std::string& value) const {
  if (const OnnxNode* node = producer(value); node != nullptr && node->op == "Constant") {
    if (node->attributes.contains("value_float")) return node->real("value_float", 0);
    if (node->attributes.contains("value_int")) return static_cast<double>(node->integer("value_int", 0));
  }
  const Tensor* tensor = constant(value);
  if (tensor == nullptr || tensor->size() != 1) return std::nullopt;
  if (tensor->dtype == Dtype::kInt64) return static_cast<double>(tensor->int64s()[0]);
  if (tensor->dtype == Dtype::kInt32) return tensor->as<std::int32_t>(Dtype::kInt32)[0];
  if (tensor->dtype == Dtype::kBool) return tensor->bytes[0] == std::byte{0} ? 0 : 1;
  if (is_float(tensor->dtype)) return to_float32(tensor->view()).floats()[0];
  return std::nullopt;
}

}  // namespace fastvlm
