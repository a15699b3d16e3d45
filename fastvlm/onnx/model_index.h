// Who makes and who uses each value of a model.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "fastvlm/onnx/model_file.h"

namespace fastvlm {

// Points into the model, which must stay as it is for as long as the index lives.
class OnnxIndex {
 public:
  explicit OnnxIndex(const OnnxModel& model);

  const OnnxModel& model() const { return *model_; }
  // The node of the main graph that makes the value, or nullptr.
  const OnnxNode* producer(const std::string& value) const;
  // The nodes of the main graph that use the value, once for each use.
  const std::vector<const OnnxNode*>& users(const std::string& value) const;
  bool is_used_inside(const std::string& value) const { return inner_uses_.contains(value); }
  bool is_input(const std::string& value) const { return inputs_.contains(value); }
  bool is_output(const std::string& value) const { return outputs_.contains(value); }
  const OnnxInitializer* initializer(const std::string& value) const;
  // True for initializers and outputs of Constant nodes.
  bool is_constant(const std::string& value) const;
  // The numbers of a small inline constant, or nullptr.
  const Tensor* constant(const std::string& value) const;
  // The numbers as they are, when there is exactly one.
  std::optional<double> scalar(const std::string& value) const;

 private:
  const OnnxModel* model_;
  std::unordered_map<std::string, const OnnxNode*> producers_;
  std::unordered_map<std::string, std::vector<const OnnxNode*>> users_;
  std::unordered_map<std::string, bool> inner_uses_, inputs_, outputs_;
  std::unordered_map<std::string, const OnnxInitializer*> initializers_;
};

}  // namespace fastvlm
