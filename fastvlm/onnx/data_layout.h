// Where weights lie: which external data file, at which offset. The same numbers in the same type lie on disk once, however
// many graphs of the folder name them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "fastvlm/graph/graph.h"

namespace fastvlm {

struct WeightPlace {
  std::string file;  // relative to the folder of the graphs
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

struct PlacedWeight {
  std::string name;  // of the initializer that asked for it first
  WeightPtr weight;
  Dtype dtype = Dtype::kFloat32;
  WeightPlace place;
};

// Weights up to this size stay inside the ONNX file.
inline constexpr std::uint64_t kInlineBytes = 1024;
// ONNX Runtime maps external data; whole pages are the alignment that every system can map.
inline constexpr std::uint64_t kDataAlignment = 4096;

class DataLayout {
 public:
  // Puts one weight at the end of `file`, unless it lies somewhere already.
  void place(const WeightPtr& weight, const std::string& name, Dtype dtype, const std::string& file);
  // Places every large weight of the graph that has no place yet in `file`.
  void place_graph(const Graph& graph, const std::string& file);

  // The place of a weight, or nullptr for one that is stored inline.
  const WeightPlace* find(const WeightPtr& weight, Dtype dtype) const;
  // In the order of files and offsets.
  const std::vector<PlacedWeight>& weights() const { return weights_; }
  const std::map<std::string, std::uint64_t>& file_sizes() const { return sizes_; }

 private:
  std::vector<PlacedWeight> weights_;
  std::map<std::string, std::size_t> index_;  // identity and type
  std::map<std::string, std::uint64_t> sizes_;
};

}  // namespace fastvlm
