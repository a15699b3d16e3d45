// A cursor into a checkpoint: descend by name, take a weight by name and shape together. What is missing or misshapen is a
// ModelError with the full path; what was taken is remembered, so that leftovers can be reported.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "fastvlm/checkpoint/checkpoint.h"
#include "fastvlm/tensor/weight.h"

namespace fastvlm {

class Weights {
 public:
  // The checkpoint must outlive the cursor and every weight taken from it.
  explicit Weights(const Checkpoint& checkpoint);

  Weights at(std::string_view name) const;
  Weights at(std::size_t index) const { return at(std::to_string(index)); }
  // Canonical path of this place, "model.layers.3.self_attn".
  const std::string& path() const { return path_; }

  bool has(std::string_view name) const { return find(name) != nullptr; }
  // Whether anything lies below `name`.
  bool has_module(std::string_view name) const;
  // nullptr when absent; not counted as taken.
  const CheckpointTensor* find(std::string_view name) const;

  WeightPtr take(std::string_view name, const Shape& shape) const;
  // The numbers of a small tensor at once (scales, statistics).
  std::vector<float> take_values(std::string_view name, const Shape& shape) const;

  // Canonical names that nobody took so far.
  std::vector<std::string> leftovers() const;

 private:
  const CheckpointTensor& require(std::string_view name, const Shape& shape) const;
  const Checkpoint* checkpoint_;
  std::string path_;
  std::shared_ptr<std::set<std::string>> taken_;
};

}  // namespace fastvlm
