// What of tower and projector stays in half precision although their activations are integers.
#pragma once

#include <vector>

#include "fastvlm/graph/graph.h"

namespace fastvlm {

// For each node of an expanded graph: products with weights that have no encoding, and the whole of a piece (vision_module()) none of
// whose weights has one. What lies between two of them is a float. Decoders have none: their floats are streams.
std::vector<bool> half_nodes(const Graph& graph);

// The weight of a product, as floats or as codes; nullptr: the node is none, or one of two activations.
const ValueInfo* weight_of_product(const Graph& graph, const Node& node);

}  // namespace fastvlm
