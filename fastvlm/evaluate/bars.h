// What a result must reach.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fastvlm/evaluate/summary.h"

namespace fastvlm {

// Shares of 1, divergences in nats. In a comparison the scores are those of the other model.
struct Bars {
  std::optional<double> min_score;      // of the first metric
  std::optional<double> max_drop;       // of its score, from the first model to the other
  std::optional<double> max_kl;         // mean
  std::optional<double> max_kl_99;      // 99th percentile
  std::optional<double> min_agreement;  // share of tokens with the same first choice
  std::size_t max_failed = 0;           // questions without an answer
};

// An Error of wrong usage for a bar that this kind of run cannot tell.
Status check_bars(const Bars& bars, const ResultsHeader& header);
// A sentence for each bar that is missed.
std::vector<std::string> missed_bars(const Bars& bars, const Summary& summary);

}  // namespace fastvlm
