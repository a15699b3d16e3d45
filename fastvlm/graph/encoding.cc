#include "fastvlm/graph/encoding.h"

#include "fastvlm/graph/graph.h"

namespace fastvlm {
namespace {

constexpr std::int64_t kSmallestBlock = 16;

// Semantic operators whose second input is a matrix [out, in].
bool takes_matrix(const Node& node) { return node.domain == kSemanticDomain && (node.op == "linear" || node.op == "vocabulary_logits"); }

std::optional<WeightEncoding> fitted(WeightEncoding encoding, std::int64_t columns) {
  while (encoding.blocks.block >= kSmallestBlock && columns % encoding.blocks.block != 0) encoding.blocks.block /= 2;
  if (encoding.blocks.block < kSmallestBlock) return std::nullopt;
  return encoding;
}

}  // namespace

bool matches(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern[0] != '*') return !name.empty() && pattern[0] == name[0] && matches(pattern.substr(1), name.substr(1));
  const std::string_view rest = pattern.substr(1);
  for (std::size_t skip = 0; skip <= name.size(); ++skip)
    if (matches(rest, name.substr(skip))) return true;
  return false;
}

void encode_weights(Graph& graph, const std::vector<EncodingRule>& rules) {
  for (const Node& node : graph.nodes()) {
    if (!takes_matrix(node)) continue;
    const ValueInfo& weight = graph.value(node.inputs[1]);
    for (const EncodingRule& rule : rules) {
      if (!matches(rule.match, weight.name)) continue;
      if (rule.weights)
        if (auto encoding = fitted(*rule.weights, weight.weight->shape().back())) graph.set_encoding(node.inputs[1], *encoding);
      break;
    }
  }
}

}  // namespace fastvlm
