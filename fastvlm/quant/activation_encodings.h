// Encodings of activations: one for each class of values that hold the same numbers (what Reshape, Transpose, Split and Concat only
// move), from the ranges that were seen.
#pragma once

#include "fastvlm/base/result.h"
#include "fastvlm/graph/graph.h"
#include "fastvlm/quant/ranges.h"

namespace fastvlm {

struct IntegerForm {
  // The range that is encoded is so many times the one that was seen: where codes have 16 bits, and where they have 8. Other pictures and
  // questions leave the ranges that were seen, and a number that is cut costs more than coarser codes of 16 bits (measured: a decoder
  // after the built-in set KL 0.005 at 1.5, 0.00001 at 2); but HTP is off by a code in each operator (a tower at 3: 1 dB worse).
  float margin = 2, byte_margin = 1.5F;
  // RMS norms, and the Adds that make what they read, stay in half precision.
  bool float_streams = true;
  // Of the second operand of a MatMul of two activations: int16, or uint8 around 128 for chips that take no 16 bits there. HTP computes
  // with 8 bits of a uint16 there silently.
  Dtype second_operand = Dtype::kInt16;
  // Chips before HTP v73 keep few bits of the factors of channels: see ScaleRule::factor.
  bool short_factors = false;
  // Whether the heads [1, heads, 1, d] of one token are split as [1, 1, 1, heads * d]. HTP v69 multiplies all but the first of those that
  // were split along the second axis wrongly (measured: no signal is left of them).
  bool splits_last_axis = false;
  // Such a stream is not scaled; one that passes this is refused.
  double largest_float = kLargestHalf;
  IntegerEdges edges;
};
IntegerForm form_of(Activations activations);

// All that is no stream and no second operand is uint16.
struct ActivationEncodings {
  // For each value of the graph; nothing: it stays a float, or is no number.
  std::vector<std::optional<Encoding>> encodings;
  // What second operands have where they are made: uint16 over the same range.
  std::vector<std::optional<Encoding>> made_as;
  // Of inputs and outputs that are codes.
  std::vector<std::optional<Encoding>> edges;
  // For each node: it computes in half precision, see half_nodes().
  std::vector<bool> half;
};

// uint16 or uint8 over the range, with zero a code of its own.
Encoding asymmetric_encoding(Extremes extremes, Dtype dtype);
// uint16: asymmetric. int16 and uint8: symmetric.
Encoding encoding_of(Extremes extremes, Dtype dtype);

// `graph` is expanded. An Error names a value whose range is not known.
Result<ActivationEncodings> encode_activations(const Graph& graph, const Ranges& ranges, const IntegerForm& form);

// Such operators leave numbers as they are: input and output have one encoding.
bool ties_encodings(std::string_view op);

}  // namespace fastvlm
