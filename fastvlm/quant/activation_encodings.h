// Encodings of activations: one for each class of values that hold the same numbers (what Reshape, Transpose, Split and Concat only
// move), from the ranges that were seen.
#pragma once

#include "fastvlm/base/result.h"
#include "fastvlm/graph/graph.h"
#include "fastvlm/quant/ranges.h"

namespace fastvlm {

// What a chip takes in a graph with integer activations.
struct IntegerForm {
  // RMS norms, and the Adds that make what they read, compute in half precision.
  bool float_streams = true;
  // Of a MatMul of two activations: int16, or uint8 on chips that refuse it. HTP computes with 8 bits of a uint16 silently.
  Dtype second_operand = Dtype::kInt16;
  // The range that is encoded is so many times the one that was seen.
  float margin = 1.5F;
};

struct ActivationEncodings {
  // For each value of the graph; nothing: it stays a float, or is no number.
  std::vector<std::optional<Encoding>> encodings;
  // What values in the type of a second operand have where they are made and elsewhere read: uint16 over the same range.
  std::vector<std::optional<Encoding>> made_as;
};

// uint16 and uint8: asymmetric, with zero a code of its own. int16: symmetric.
Encoding encoding_of(Extremes extremes, Dtype dtype);

// `graph` is expanded. An Error names a value whose range is not known.
Result<ActivationEncodings> encode_activations(const Graph& graph, const Ranges& ranges, const IntegerForm& form);

// Such operators leave numbers as they are: input and output have one encoding.
bool ties_encodings(std::string_view op);

}  // namespace fastvlm
