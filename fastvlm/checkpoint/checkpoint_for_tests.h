// Small checkpoints for the tests of any folder: tensors with reproducible numbers, under names that need no renaming.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/base/json.h"
#include "fastvlm/checkpoint/checkpoint.h"
#include "fastvlm/checkpoint/safetensors_writer.h"

namespace fastvlm {

class CheckpointForTests {
 public:
  // Evenly spread numbers between low and high.
  void add(const std::string& name, const Shape& shape, float low = -1, float high = 1) {
    Tensor tensor = Tensor::zeros(Dtype::kFloat32, shape);
    for (float& value : tensor.floats()) value = low + (high - low) * static_cast<float>(generator_() >> 8) * 0x1p-24f;
    tensors_[name] = std::move(tensor);
  }
  void remove(const std::string& name) { tensors_.erase(name); }
  void clear() { tensors_.clear(); }

  // The numbers under a name, as doubles for the arithmetic of a test.
  std::vector<double> numbers(const std::string& name) const {
    const auto values = tensors_.at(name).floats();
    return {values.begin(), values.end()};
  }
  bool has(const std::string& name) const { return tensors_.contains(name); }

  // Writes the folder, whose config.json gets a model_type unless it has one, and opens it.
  Result<Checkpoint> open(Json config = Json::object()) const {
    if (!config.contains("model_type")) config["model_type"] = "fast_vlm";
    std::vector<NamedTensor> list;
    for (const auto& [name, tensor] : tensors_) list.push_back({name, tensor});
    folder_.write("config.json", config.dump());
    EXPECT_TRUE(write_safetensors(folder_ / "model.safetensors", list, {}).ok());
    return Checkpoint::open(folder_.path());
  }

 private:
  FolderForTests folder_;
  std::map<std::string, Tensor> tensors_;
  std::mt19937 generator_{7};
};

}  // namespace fastvlm
