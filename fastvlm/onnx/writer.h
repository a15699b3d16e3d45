// A graph of basic operators as an ONNX file.
#pragma once

#include <map>
#include <string>

#include "fastvlm/graph/graph.h"
#include "fastvlm/onnx/data_layout.h"
#include "fastvlm/tensor/convert.h"

namespace fastvlm {

struct OnnxOptions {
  std::int64_t opset = 17;
  std::int64_t ir_version = 8;
  std::string producer_version;
  std::map<std::string, CastLosses>* losses = nullptr;  // gets what weights stored inside lost or hold, by name
};

// The bytes of the file. Weights that `layout` has a place for are references to it; the others are stored inside.
// A graph with DequantizeLinear in blocks is one of opset 21 and IR 10, whatever the options say: no older one has it.
// The same graph gives the same bytes. A semantic node left in the graph is our own bug.
Result<std::string> to_onnx(const Graph& graph, const DataLayout& layout, const OnnxOptions& options);

}  // namespace fastvlm
