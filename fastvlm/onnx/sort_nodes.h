// The order of the nodes of a graph. For the .cc files of this folder.
#pragma once

#include <string>
#include <vector>

namespace onnx {
class GraphProto;
}

namespace fastvlm {

// Puts each node behind those that make what it uses, also inside of its branches; nodes that are in order stay where they are.
// When values need themselves nothing moves, and the answer is one such circle, in the order in which they are made.
std::vector<std::string> sort_nodes(onnx::GraphProto& graph);

}  // namespace fastvlm
