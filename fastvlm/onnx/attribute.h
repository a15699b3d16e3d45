// Attributes of our nodes, as ONNX nodes have them.
#pragma once

#include <onnx/onnx_pb.h>

#include <string>

#include "fastvlm/graph/graph.h"

namespace fastvlm {

// A double is our own bug: those are for semantic nodes, which are expanded.
void add_attribute(onnx::NodeProto& node, const std::string& name, const Attribute& value);

}  // namespace fastvlm
