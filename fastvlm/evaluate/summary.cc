#include "fastvlm/evaluate/summary.h"

#include <algorithm>

namespace fastvlm {
namespace {

MetricSummary summarise_metric(const Results& results, std::size_t index, const BootstrapOptions& bootstrap) {
  std::vector<double> first, other, differences;
  for (const ResultRow& row : results.rows) {
    first.push_back(row.error.empty() ? row.reply.scores[index] : 0);
    other.push_back(row.comparison ? row.comparison->reply.scores[index] : 0);
    differences.push_back(other.back() - first.back());
  }
  MetricSummary summary{.metric = results.header.metrics[index], .score = mean_of(first), .interval = bootstrap_interval(first, bootstrap)};
  if (!results.header.against) return summary;
  summary.against = mean_of(other);
  summary.against_interval = bootstrap_interval(other, bootstrap);
  summary.difference = mean_of(differences);
  summary.difference_interval = bootstrap_interval(differences, bootstrap);
  return summary;
}

DivergenceSummary summarise_divergence(const Results& results) {
  DivergenceSummary summary;
  std::vector<double> all, departures;
  std::size_t agreeing = 0;
  for (const ResultRow& row : results.rows) {
    if (!row.comparison) continue;
    const Comparison& pair = *row.comparison;
    for (std::size_t i = 0; i < pair.kl.size(); ++i) {
      if (all.empty() || pair.kl[i] > summary.worst.kl) summary.worst = {.question = row.question, .position = i, .kl = pair.kl[i]};
      all.push_back(pair.kl[i]);
      agreeing += pair.agrees[i] != 0 ? 1 : 0;
    }
    if (const auto at = first_departure(row.reply, pair.reply)) departures.push_back(static_cast<double>(*at));
  }
  summary.tokens = all.size();
  summary.mean = mean_of(all);
  summary.percentile_95 = percentile(all, 0.95);
  summary.percentile_99 = percentile(all, 0.99);
  summary.agreement = all.empty() ? 0 : static_cast<double>(agreeing) / static_cast<double>(all.size());
  summary.departing = departures.size();
  if (!departures.empty()) summary.mean_departure = mean_of(departures);
  return summary;
}

OrderedJson interval_json(const Interval& interval) { return {interval.low, interval.high}; }

OrderedJson metric_json(const MetricSummary& metric) {
  OrderedJson json = {{"score", metric.score}, {"interval", interval_json(metric.interval)}};
  if (metric.against)
    json["against"] = {{"score", *metric.against},
                       {"interval", interval_json(metric.against_interval)},
                       {"difference", metric.difference},
                       {"difference_interval", interval_json(metric.difference_interval)}};
  return json;
}

OrderedJson divergence_json(const DivergenceSummary& d) {
  OrderedJson json = {{"tokens", d.tokens},
                      {"mean", d.mean},
                      {"percentile_95", d.percentile_95},
                      {"percentile_99", d.percentile_99},
                      {"worst", {{"question", d.worst.question}, {"position", d.worst.position}, {"kl", d.worst.kl}}},
                      {"agreement", d.agreement},
                      {"departing", d.departing}};
  if (d.mean_departure) json["mean_departure"] = *d.mean_departure;
  return json;
}

}  // namespace

std::optional<std::size_t> first_departure(const Reply& one, const Reply& other) {
  const auto [a, b] = std::ranges::mismatch(one.ids, other.ids);
  if (a == one.ids.end() && b == other.ids.end()) return std::nullopt;
  return static_cast<std::size_t>(a - one.ids.begin());
}

Summary summarise(const Results& results, const BootstrapOptions& bootstrap) {
  Summary summary{.questions = results.rows.size()};
  for (const ResultRow& row : results.rows) {
    summary.failed += row.error.empty() ? 0 : 1;
    summary.new_tokens += row.reply.ids.size();
  }
  for (std::size_t i = 0; i < results.header.metrics.size(); ++i) summary.metrics.push_back(summarise_metric(results, i, bootstrap));
  if (results.header.against) summary.divergence = summarise_divergence(results);
  return summary;
}

OrderedJson summary_json(const Summary& summary) {
  OrderedJson json = {{"questions", summary.questions}, {"failed", summary.failed}, {"new_tokens", summary.new_tokens}};
  json["metrics"] = OrderedJson::object();
  for (const MetricSummary& metric : summary.metrics) json["metrics"][metric.metric] = metric_json(metric);
  if (summary.divergence) json["divergence"] = divergence_json(*summary.divergence);
  return json;
}

}  // namespace fastvlm
