#include "fastvlm/evaluate/bars.h"

namespace fastvlm {

Status check_bars(const Bars& bars, const ResultsHeader& header) {
  struct Need {
    const char* option;
    const std::optional<double>& bar;
    bool comparison;
    bool metric;
    bool share;  // from 0 to 1
  };
  for (const Need& need : {Need{"min_score", bars.min_score, false, true, true}, Need{"max_drop", bars.max_drop, true, true, false},
                           Need{"max_kl", bars.max_kl, true, false, false}, Need{"max_kl_99", bars.max_kl_99, true, false, false},
                           Need{"min_agreement", bars.min_agreement, true, false, true}}) {
    if (!need.bar) continue;
    if (need.share && !(*need.bar >= 0 && *need.bar <= 1)) return bad_option(need.option, "{}: must be from 0 to 1", *need.bar);
    if (need.comparison && !header.against) return bad_option(need.option, "{}: needs something to compare with: `against`", *need.bar);
    if (need.metric && header.metrics.empty()) return bad_option(need.option, "{}: the set has no answers to score", *need.bar);
  }
  return {};
}

std::vector<std::string> missed_bars(const Bars& bars, const Summary& summary) {
  std::vector<std::string> missed;
  const auto miss = [&](const char* option, double bar, double found) {
    missed.push_back(fmt::format("`{}` {} is missed: it is {:.6g}", option, bar, found));
  };
  if (summary.failed > bars.max_failed)
    missed.push_back(
        fmt::format("{} of {} questions have no answer; `max_failed` is {}", summary.failed, summary.questions, bars.max_failed));
  if (!summary.metrics.empty()) {
    const MetricSummary& metric = summary.metrics.front();
    const double score = metric.against.value_or(metric.score);
    if (bars.min_score && score < *bars.min_score) miss("min_score", *bars.min_score, score);
    if (bars.max_drop && -metric.difference > *bars.max_drop) miss("max_drop", *bars.max_drop, -metric.difference);
  }
  if (summary.divergence) {
    const DivergenceSummary& d = *summary.divergence;
    if (bars.max_kl && d.mean > *bars.max_kl) miss("max_kl", *bars.max_kl, d.mean);
    if (bars.max_kl_99 && d.percentile_99 > *bars.max_kl_99) miss("max_kl_99", *bars.max_kl_99, d.percentile_99);
    if (bars.min_agreement && d.agreement < *bars.min_agreement) miss("min_agreement", *bars.min_agreement, d.agreement);
  }
  return missed;
}

}  // namespace fastvlm
