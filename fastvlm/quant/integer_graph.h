// A static graph of basic operators becomes one with integer activations and weights: QuantizeLinear and DequantizeLinear around
// each operator, as HTP wants them (opset 21). HTP multiplies two activations of 16 bits from v73 on; see IntegerForm.
#pragma once

#include <memory>

#include "fastvlm/quant/activation_encodings.h"
#include "fastvlm/quant/tensor_encodings.h"

namespace fastvlm {

struct IntegerGraph {
  std::unique_ptr<Graph> graph;
  std::vector<TensorEncoding> encodings;  // of every float tensor of the graph that it was made of
};

// Inputs and outputs keep names, and types but for those of IntegerForm::edges; what operators make keeps its name in front of its
// QuantizeLinear. Weights of MatMul and Gemm whose encoding says so become int8 with a scale for each output channel, vectors beside
// activations uint16. An Error: a range that is missing, a weight that cannot be read, an operator that has no form with integers.
Result<IntegerGraph> to_integers(const Graph& graph, const Ranges& ranges, const IntegerForm& form);

}  // namespace fastvlm
