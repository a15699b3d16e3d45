#include "fastvlm/sensitivity/cost_table.h"

#include <algorithm>

namespace fastvlm {
namespace {

std::string weights_in_words(const Tried& one, const ModelPart& part) {
  const Trial& trial = *one.trial;
  if (trial.activations_only) return "activations";
  if (part.kind == PartKind::kHead) return part.weights.front().starts_with("lm_head") ? "lm_head" : "embed_tokens";
  return trial.modules.empty() ? "all" : trial.modules[0];
}

}  // namespace

bool changes(const Trial& trial, const Recipe& recipe, const ModelPart& part, std::vector<EncodingRule>& rules) {
  if (!trial.belongs_to(part)) return false;
  bool any = trial.activations_only;
  for (const std::string& weight : weights_of(trial, part)) {
    const auto own = encoding_of(recipe, weight), now = tried(trial, recipe, weight);
    any = any || (trial.encoding ? now != own : own.has_value());
    if (now != own) rules.push_back({.match = weight, .weights = now});
  }
  return any;
}

void CostTable::add(const PartFound& found) {
  units_[0].choices[0].bytes += found.float_bytes;
  add_rows(found);
  found.part.kind == PartKind::kTower ? add_piece(found) : add_layer(found);
}

void CostTable::add_rows(const PartFound& found) {
  for (const Tried& one : found.tried)
    rows_.push_back({.layer = found.part.name,
                     .weights = weights_in_words(one, found.part),
                     .precision = words(*one.trial, found.recipe, found.part),
                     .saved = one.saved,
                     .apart = one.apart});
}

// A piece of the tower is stored one way as a whole; in half precision it costs nothing.
void CostTable::add_piece(const PartFound& found) {
  if (found.tried.empty()) return;
  units_[0].choices[0].bytes -= found.float_bytes;
  StorageUnit& unit = units_.emplace_back(StorageUnit{.tower = true});
  for (const Tried& one : found.tried)
    unit.choices.push_back({.rules = one.rules,
                            .bytes = static_cast<std::uint64_t>(static_cast<std::int64_t>(found.float_bytes) - one.saved),
                            .cost = one.apart.kl});
  if (found.may_be_float)
    unit.choices.push_back({.rules = {{.match = found.part.name + ".*", .weights = std::nullopt}}, .bytes = found.float_bytes});
}

// A trial and its wider form stand one behind the other. What activations alone cost stays whatever is chosen.
void CostTable::add_layer(const PartFound& found) {
  double activations = 0;
  std::uint64_t saved_by_own = 0;  // of the last unit
  for (const Tried& one : found.tried) {
    StorageChoice& rest = units_[0].choices[0];
    if (one.trial->activations_only) {
      activations = one.apart.kl;
      rest.cost += activations;
      continue;
    }
    const auto saved = static_cast<std::uint64_t>(one.saved);
    const double cost = std::max(0.0, one.apart.kl - activations);
    if (one.trial->encoding) {
      std::vector<StorageChoice>& choices = units_.back().choices;
      choices.insert(choices.begin() + 1, {.rules = one.rules, .bytes = saved_by_own - saved, .cost = cost});
      continue;
    }
    rest.bytes -= saved_by_own = saved;
    std::vector<StorageChoice>& choices = units_.emplace_back(StorageUnit{.choices = {{.cost = cost}}}).choices;
    if (!found.may_be_float) continue;
    StorageChoice& floats = choices.emplace_back(StorageChoice{.bytes = saved});
    for (const std::string& weight : weights_of(*one.trial, found.part))
      if (encoding_of(found.recipe, weight)) floats.rules.push_back({.match = weight, .weights = std::nullopt});
  }
}

}  // namespace fastvlm
