#include "fastvlm/export/recipe_findings.h"

#include <algorithm>
#include <set>

namespace fastvlm {

std::vector<std::string> weight_names(const PreparedExport& p) {
  std::set<std::string> names;
  for (const PreparedGraph& graph : p.graphs) {
    if (graph.entry.npu()) continue;
    for (const ValueInfo& value : graph.graph->values())
      if (value.weight != nullptr) names.insert(value.name);
  }
  if (p.config.text.tie_word_embeddings) names.insert({"lm_head.weight", "model.embed_tokens.weight"});
  return {names.begin(), names.end()};
}

std::vector<std::string> recipe_findings(const Recipe& recipe, const std::vector<std::string>& weights) {
  std::vector<std::string> findings;
  std::set<const EncodingRule*> deciding;
  for (const std::string& weight : weights) deciding.insert(rule_for(recipe.rules, weight));
  for (const EncodingRule& rule : recipe.rules) {
    if (deciding.contains(&rule)) continue;
    const bool meant = std::ranges::any_of(weights, [&](const std::string& weight) { return matches(rule.match, weight); });
    findings.push_back(
        fmt::format("recipe {}: the rule \"{}\" {}", recipe.name, rule.match,
                    meant ? "is never reached; rules before it decide about all that it matches" : "matches no weight of this model"));
  }
  return findings;
}

}  // namespace fastvlm
