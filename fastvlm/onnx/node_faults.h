// Which nodes ONNX Runtime would not load. For the child process only (library_child.h).
#pragma once

#include <map>
#include <string>

namespace onnx {
class ModelProto;
}

namespace fastvlm {

// By the place of the node in the main graph: what is wrong with it, or with a node in one of its branches. Wants a model whose shapes
// are inferred as far as that went; its names and stated shapes are gone afterwards. Says nothing where the ONNX library is older than
// the operator.
std::map<int, std::string> find_node_faults(onnx::ModelProto& model);

}  // namespace fastvlm
