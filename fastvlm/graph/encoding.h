// Encodings: how numbers of a graph are stored as integers. They hang on the values of a semantic graph; what becomes of them is
// the choice of the expansion that a target has for the operator.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fastvlm/tensor/block_quantise.h"

namespace fastvlm {

class Graph;

struct WeightEncoding {
  BlockFormat blocks;
  bool operator==(const WeightEncoding&) const = default;
};

// Ordered: the first rule whose pattern matches the name of a weight decides. '*' stands for any run of characters.
struct EncodingRule {
  std::string match;                      // "model.layers.*.mlp.down_proj.weight"
  std::optional<WeightEncoding> weights;  // nothing: as it is
};

bool matches(std::string_view pattern, std::string_view name);

// Gives the weights of the linear layers and of the head in a semantic graph the encodings of the rules. A weight whose rows are
// no multiple of the block gets the largest smaller block that fits (16 at least); one that none fits stays as it is.
void encode_weights(Graph& graph, const std::vector<EncodingRule>& rules);

}  // namespace fastvlm
