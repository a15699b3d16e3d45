// What the lines of a file of results come to.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fastvlm/evaluate/results.h"
#include "fastvlm/evaluate/statistics.h"

namespace fastvlm {

struct MetricSummary {
  std::string metric;
  double score = 0;  // mean over all questions; one without an answer counts 0
  Interval interval;
  // Of a comparison: the other model, and the difference other − first with the interval of the pairs.
  std::optional<double> against;
  Interval against_interval;
  double difference = 0;
  Interval difference_interval;
};

struct WorstToken {
  std::size_t question = 0;  // its number
  std::size_t position = 0;  // of the token in the answer, from 0
  double kl = 0;
};

struct DivergenceSummary {
  std::size_t tokens = 0;
  double mean = 0;
  double percentile_95 = 0;
  double percentile_99 = 0;
  WorstToken worst;
  double agreement = 0;                  // share of tokens where both find the same one most likely
  std::size_t departing = 0;             // questions whose greedy answers are not the same
  std::optional<double> mean_departure;  // position of the first token that differs, over those
};

struct Summary {
  std::size_t questions = 0;
  std::size_t failed = 0;
  std::size_t new_tokens = 0;
  std::vector<MetricSummary> metrics;
  std::optional<DivergenceSummary> divergence;
};

Summary summarise(const Results& results, const BootstrapOptions& bootstrap = {});

// The first position at which two greedy answers differ; nothing when they are the same. An answer that ends earlier differs there.
std::optional<std::size_t> first_departure(const Reply& one, const Reply& other);

OrderedJson summary_json(const Summary& summary);

}  // namespace fastvlm
