// Encodings: how numbers of a graph are stored as integers. They hang on the values of a semantic graph; what becomes of them is
// the choice of the expansion that a target has for the operator.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fastvlm/tensor/block_quantise.h"
#include "fastvlm/tensor/dtype.h"

namespace fastvlm {

class Graph;

struct WeightEncoding {
  BlockFormat blocks;
  // One scale for each output channel instead of blocks: the form beside activations in integers.
  bool by_channel = false;
  bool operator==(const WeightEncoding&) const = default;
};

// What the activations of a graph are.
enum class Activations {
  kFloat,      // half precision
  kInt16,      // integers of 16 bits; residual streams and RMS norms in half precision
  kInt16Int8,  // the same, of 8 bits where a product of two activations takes its second factor
  kWhole,      // integers throughout: of 16 bits, and of 8 where a product of two activations takes its second factor
};

// As recipes and the manifest spell it: "float", "int16", "int16-int8", "integers".
std::string_view name(Activations activations);
std::optional<Activations> activations_of(std::string_view name);

// How the numbers of an activation are stored: number = (code - zero_point) * scale.
struct Encoding {
  Dtype dtype = Dtype::kUint16;
  float scale = 1;
  std::int32_t zero_point = 0;
  bool operator==(const Encoding&) const = default;
};

// Which inputs and outputs of graphs with integer activations are codes; the others are float32.
struct IntegerEdges {
  // Keys and values, in all lengths and parts with the scale that they have inside: uint8 or uint16 around the middle.
  std::optional<Dtype> cache;
  // All else that has 16 bits inside, and the vectors of the tokens: uint16.
  bool others = false;
  bool operator==(const IntegerEdges&) const = default;
};

// Ordered: the first rule whose pattern matches the name of a weight decides. '*' stands for any run of characters.
struct EncodingRule {
  std::string match;                      // "model.layers.*.mlp.down_proj.weight"
  std::optional<WeightEncoding> weights;  // nothing: as it is
  bool operator==(const EncodingRule&) const = default;
};

bool matches(std::string_view pattern, std::string_view name);

// The rule that decides about a weight; nullptr: none speaks of it.
const EncodingRule* rule_for(const std::vector<EncodingRule>& rules, std::string_view weight);

// How the numbers of the text decoder, or of tower and projector, are stored, under a name that graphs and folders bear: "w4".
struct Recipe {
  std::string name = "fp16";
  std::string about;  // for whom it is, a sentence
  std::vector<EncodingRule> rules;
  Activations activations = Activations::kFloat;
  bool operator==(const Recipe&) const = default;
  // Leaves everything in half precision.
  bool is_float() const { return rules.empty() && activations == Activations::kFloat; }
};

// Gives the weights of the linear layers and of the head in a semantic graph the encodings of the rules, and convolutions those with a
// scale for each channel. A weight whose rows are no multiple of the block gets the largest smaller block that fits (16 at least); one
// that none fits stays as it is.
void encode_weights(Graph& graph, const std::vector<EncodingRule>& rules);

}  // namespace fastvlm
