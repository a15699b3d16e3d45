// How the numbers of every tensor of a float graph are stored in the graph of a recipe: what files of encodings for other tools say.
// The scales are those of the nodes, not made again.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fastvlm/graph/graph.h"

namespace fastvlm {

// Several scales in one weight.
struct ScaleTable {
  WeightPtr scales;        // [channels], or [channels, blocks]
  int bits = 8;            // of the codes, which are symmetric
  std::int64_t axis = 0;   // of the output channels in the weight
  std::int64_t block = 0;  // numbers of a channel that share a scale; 0: all
};

// Neither `whole` nor `table`: half precision.
struct TensorEncoding {
  std::string name;                    // in the float graph
  bool parameter = false;              // a weight, not an activation
  std::optional<Encoding> whole = {};  // one scale for all numbers
  std::optional<ScaleTable> table = {};
};

// Of graphs with float activations: every float tensor of `floats`, weights with the blocks that `quantised` reads them in. A weight
// is known by its name, so the two may be cut into parts differently. Each name stands once.
std::vector<TensorEncoding> block_encodings(const std::vector<const Graph*>& floats, const std::vector<const Graph*>& quantised);

// The same from what was noted while the integer graph was written: activations by value, weights by value.
struct NotedEncodings {
  std::vector<std::optional<Encoding>> whole;
  std::vector<std::optional<ScaleTable>> tables;
};
std::vector<TensorEncoding> encodings_of(const Graph& floats, const NotedEncodings& noted);

}  // namespace fastvlm
