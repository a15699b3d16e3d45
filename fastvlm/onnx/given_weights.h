// A graph that stores weights as integers of 8 bits, changed to be given their numbers: inputs stand where the codes were decoded.
#pragma once

#include <string>
#include <vector>

#include "fastvlm/onnx/model_file.h"

namespace fastvlm {

// A weight that is an input of the changed graph, and how the file stores it.
struct GivenWeight {
  std::string input;              // float32
  Shape shape;                    // of the input
  OnnxInitializer codes, scales;  // int8 or, in blocks, uint8; float32
  // MatMulNBits: so many numbers of a row share a scale, codes are [out, in] around 128, and the input is [in, out]. 0: a scale for each
  // entry of `axis`, codes around 0 in the shape of the input.
  std::int64_t block = 0;
  std::int64_t axis = 0;
};

struct GivenWeights {
  std::string model;  // as bytes; external data stay where they are
  std::vector<GivenWeight> weights;
  bool keeps_four_bits = false;  // some MatMulNBits has 4 bits and stays
};

// Without weights where the graph has none that are stored so; `model` is empty then. Names of all other values stay.
Result<GivenWeights> with_given_weights(const Path& model);

}  // namespace fastvlm
