// What decides how large a context gets and what compiling it takes.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "fastvlm/base/files.h"
#include "fastvlm/base/result.h"
#include "fastvlm/graph/cost.h"
#include "fastvlm/graph/graph.h"
#include "fastvlm/onnx/model_file.h"

namespace fastvlm {

// Of one context.
struct CompileLoad {
  std::uint64_t weight_bytes = 0;  // of all graphs, in half precision what is not packed; what they share counts once
  std::uint64_t packed_bytes = 0;  // of these, in integers
  std::size_t graphs = 0;
  std::uint64_t largest_value_bytes = 0;  // of what one node gives, in half precision
};

// What each weight that is stored beside the file counts, by its place.
std::map<std::string, WeightBytes> stored_weight_bytes(const OnnxModel& model);

// Of all of them together, as the NPU keeps them. Reads the file without its weights.
Result<std::uint64_t> stored_weight_total(const Path& onnx);

// Adds up the graphs of a context, from the graphs themselves or from their ONNX files.
class CompileLoadSum {
 public:
  void add(const Graph& graph);
  // Reads the file without its weights; a child infers the shapes.
  Status add(const Path& onnx);
  CompileLoad load() const;

 private:
  std::map<std::string, WeightBytes> weights_;  // by what they are
  std::size_t graphs_ = 0;
  std::uint64_t largest_value_ = 0;  // elements
};

}  // namespace fastvlm
