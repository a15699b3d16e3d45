// A graph cut into graphs that run one behind the other.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fastvlm/base/result.h"
#include "fastvlm/graph/graph.h"

namespace fastvlm {

// What a part takes and gives, both float32.
inline constexpr const char* kPartInput = "part_in";
inline constexpr const char* kPartOutput = "part_out";

struct GraphPart {
  std::string name;
  std::unique_ptr<Graph> graph;  // one input, one output
};

// The parts in their order; `name_of` says which a node belongs to, empty: that of the node before it. Where the value that passes from
// one part to the next is codes, the QuantizeLinear that makes them moves to the part that reads them. An Error: parts that take turns,
// more than one value between two of them, a graph with several inputs or outputs.
Result<std::vector<GraphPart>> cut_graph(const Graph& graph, const std::function<std::string(const Node&)>& name_of);

}  // namespace fastvlm
