#include "fastvlm/graph/encoding.h"

#include <algorithm>
#include <utility>

#include "fastvlm/graph/graph.h"

namespace fastvlm {
namespace {

constexpr std::int64_t kSmallestBlock = 16;

constexpr std::pair<Activations, std::string_view> kActivations[] = {{Activations::kFloat, "float"},
                                                                     {Activations::kInt16, "int16"},
                                                                     {Activations::kInt16Int8, "int16-int8"},
                                                                     {Activations::kWhole, "integers"}};

// Semantic operators whose second input is a matrix [out, in].
bool takes_matrix(const Node& node) { return node.domain == kSemanticDomain && (node.op == "linear" || node.op == "vocabulary_logits"); }
bool takes_kernel(const Node& node) { return node.domain.empty() && node.op == "Conv"; }

std::optional<WeightEncoding> fitted(WeightEncoding encoding, std::int64_t columns) {
  if (encoding.by_channel) return encoding;
  while (encoding.blocks.block >= kSmallestBlock && columns % encoding.blocks.block != 0) encoding.blocks.block /= 2;
  if (encoding.blocks.block < kSmallestBlock) return std::nullopt;
  return encoding;
}

}  // namespace

std::string_view name(Activations activations) { return kActivations[static_cast<std::size_t>(activations)].second; }

std::optional<Activations> activations_of(std::string_view name) {
  for (const auto& [activations, spelled] : kActivations)
    if (spelled == name) return activations;
  return std::nullopt;
}

// Only the last '*' has to be tried again, so that no pattern takes long.
bool matches(std::string_view pattern, std::string_view name) {
  std::size_t p = 0, n = 0, star = std::string_view::npos, from = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++, from = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p, ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1, n = ++from;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

const EncodingRule* rule_for(const std::vector<EncodingRule>& rules, std::string_view weight) {
  const auto rule = std::ranges::find_if(rules, [&](const EncodingRule& one) { return matches(one.match, weight); });
  return rule == rules.end() ? nullptr : &*rule;
}

void encode_weights(Graph& graph, const std::vector<EncodingRule>& rules) {
  for (const Node& node : graph.nodes()) {
    if (!takes_matrix(node) && !takes_kernel(node)) continue;
    const ValueInfo& weight = graph.value(node.inputs[1]);
    const EncodingRule* rule = rule_for(rules, weight.name);
    if (rule == nullptr || !rule->weights || (!rule->weights->by_channel && !takes_matrix(node))) continue;
    if (auto encoding = fitted(*rule->weights, weight.weight->shape().back())) graph.set_encoding(node.inputs[1], *encoding);
  }
}

}  // namespace fastvlm
