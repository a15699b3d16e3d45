// A file of encodings and a graph, read back, for tests.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "fastvlm/base/json.h"
#include "fastvlm/onnx/model_file.h"
#include "fastvlm/session/runners_for_tests.h"

namespace fastvlm {

// The rows of a file of version 1.0.0, by name.
inline std::map<std::string, Json> encodings_in(const Path& file) {
  const Json json = Json::parse(text_of(file));
  EXPECT_EQ(json.at("version"), "1.0.0");
  std::map<std::string, Json> rows;
  for (const char* section : {"activation_encodings", "param_encodings"})
    for (const Json& row : json.at(section)) EXPECT_TRUE(rows.emplace(row.at("name"), row).second) << row.at("name");
  return rows;
}

inline std::vector<float> floats_in(const Json& row, const char* key = "scale") {
  std::vector<float> numbers;
  for (const Json& number : row.at(key)) numbers.push_back(static_cast<float>(number.get<double>()));
  return numbers;
}

class GraphReadBack {
 public:
  explicit GraphReadBack(const Path& file) : folder_(file.parent_path()), model_(read_onnx(file, {.infer_shapes = false}).value()) {
    for (const OnnxInitializer& initializer : model_.initializers) initializers_[initializer.name] = &initializer;
    for (const OnnxNode& node : model_.nodes)
      for (const std::string& output : node.outputs) producers_[output] = &node;
  }
  const OnnxModel& model() const { return model_; }
  const OnnxNode* producer(const std::string& value) const { return producers_.contains(value) ? producers_.at(value) : nullptr; }
  const OnnxInitializer* initializer(const std::string& name) const {
    return initializers_.contains(name) ? initializers_.at(name) : nullptr;
  }
  Tensor numbers(const std::string& name) const {
    const OnnxInitializer& initializer = *initializers_.at(name);
    if (initializer.constant) return *initializer.constant;
    Tensor tensor = Tensor::zeros(*initializer.dtype, initializer.shape);
    const InputFile file = InputFile::open(folder_ / initializer.external->location).value();
    EXPECT_TRUE(file.read_at(initializer.external->offset, tensor.bytes).ok());
    return tensor;
  }
  std::vector<float> floats(const std::string& name) const {
    const Tensor tensor = numbers(name);
    return {tensor.floats().begin(), tensor.floats().end()};
  }

 private:
  Path folder_;
  OnnxModel model_;
  std::map<std::string, const OnnxInitializer*> initializers_;
  std::map<std::string, const OnnxNode*> producers_;
};

// Every float tensor of a graph but the constants of its operators.
inline std::vector<std::string> tensors_of(const GraphReadBack& graph) {
  std::vector<std::string> names;
  for (const OnnxInitializer& initializer : graph.model().initializers)
    if (initializer.dtype == Dtype::kFloat32 && !initializer.name.starts_with("constant_")) names.push_back(initializer.name);
  for (const OnnxValue& input : graph.model().inputs)
    if (input.type.dtype == Dtype::kFloat32) names.push_back(input.name);
  for (const OnnxNode& node : graph.model().nodes) names.insert(names.end(), node.outputs.begin(), node.outputs.end());
  return names;
}

}  // namespace fastvlm
