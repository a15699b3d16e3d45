// Which weights a recipe should keep at more bits, for a size or a quality.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fastvlm/base/result.h"
#include "fastvlm/graph/encoding.h"

namespace fastvlm {

// One way of storing some weights.
struct StorageChoice {
  std::vector<EncodingRule> rules;  // that a recipe needs for it in front of its own
  std::uint64_t bytes = 0;
  double cost = 0;  // mean KL per token in nats
};

// Weights for which one choice is made: the recipe's own is the first. What no recipe changes is a unit with one choice.
struct StorageUnit {
  std::vector<StorageChoice> choices;
  bool tower = false;  // its rules are those of the recipe of tower and projector
};

// At most one of them.
struct Bound {
  std::optional<std::uint64_t> bytes;  // of all units together
  std::optional<double> cost;          // of all units together, which add up where they are small
};

// Whether the bound leaves room for a recipe of so many bytes.
Status check_bytes(std::uint64_t bytes, const Bound& bound);

// The choice for each unit. Costs of small errors add up, so whatever lowers the sum most for a byte comes first; what a bound of cost
// then does not need is taken back, the largest first. An Error where the bound cannot be kept.
Result<std::vector<std::size_t>> choose(const std::vector<StorageUnit>& units, const Bound& bound);

std::uint64_t bytes_of(const std::vector<StorageUnit>& units, const std::vector<std::size_t>& chosen);
double cost_of(const std::vector<StorageUnit>& units, const std::vector<std::size_t>& chosen);

// The recipe with rules for what was chosen otherwise in front of its own: that of the decoder, or that of tower and projector.
Recipe proposed(const Recipe& recipe, const std::vector<StorageUnit>& units, const std::vector<std::size_t>& chosen, bool tower = false);

}  // namespace fastvlm
