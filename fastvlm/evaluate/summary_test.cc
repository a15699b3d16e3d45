#include "fastvlm/evaluate/summary.h"

#include <gtest/gtest.h>

#include <cmath>

#include "fastvlm/evaluate/bars.h"

namespace fastvlm {
namespace {

TEST(Statistics, PercentilesAreThoseOfNumPy) {
  const std::vector<double> values = {4, 1, 3, 2};
  EXPECT_DOUBLE_EQ(percentile(values, 0), 1);
  EXPECT_DOUBLE_EQ(percentile(values, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(percentile(values, 0.95), 3.85);
  EXPECT_DOUBLE_EQ(percentile(values, 1), 4);
  EXPECT_DOUBLE_EQ(percentile(std::vector<double>{7}, 0.3), 7);
  EXPECT_EQ(percentile({}, 0.3), 0);
}

TEST(Statistics, TheBootstrapIntervalIsThatOfTheMean) {
  std::vector<double> coins;
  for (int i = 0; i < 400; ++i) coins.push_back(i % 2);
  const Interval interval = bootstrap_interval(coins);
  // 0.5 ± 1.96 * 0.5 / 20.
  EXPECT_NEAR(interval.low, 0.451, 0.006);
  EXPECT_NEAR(interval.high, 0.549, 0.006);
  const Interval again = bootstrap_interval(coins), other = bootstrap_interval(coins, {.seed = 1});
  EXPECT_EQ(interval.low, again.low);
  EXPECT_TRUE(interval.low != other.low || interval.high != other.high);
  EXPECT_EQ(bootstrap_interval(std::vector<double>{0.25, 0.25}).high, 0.25);
}

ResultRow row(std::size_t question, double first, double other, std::vector<double> kl, std::vector<std::int64_t> agrees) {
  ResultRow row{.question = question, .reply = {.ids = {1, 2}, .scores = {first}}};
  row.comparison =
      Comparison{.reply = {.ids = {1, 2}, .scores = {other}}, .kl = std::move(kl), .agrees = std::move(agrees), .tokens = {1, 2}};
  return row;
}

Results compared() {
  Results results;
  results.header = {.against = AnsweredBy{}, .questions = 4, .metrics = {"exact"}};
  results.rows = {row(1, 1, 1, {0, 0.1, 0.2}, {1, 1, 1}),
                  row(2, 1, 0, {0.3, 4}, {1, 0}),
                  row(3, 0, 1, {0.4}, {1}),
                  {.question = 4, .error = "no picture"}};
  results.rows[1].comparison->reply.ids = {1, 3, 4};
  results.rows[2].comparison->reply.ids = {};
  return results;
}

TEST(Summary, AddsUpWhatTheLinesSay) {
  const Summary summary = summarise(compared());
  EXPECT_EQ(summary.questions, 4U);
  EXPECT_EQ(summary.failed, 1U);
  ASSERT_EQ(summary.metrics.size(), 1U);
  EXPECT_DOUBLE_EQ(summary.metrics[0].score, 0.5) << "a question without an answer is wrong";
  EXPECT_DOUBLE_EQ(*summary.metrics[0].against, 0.5);
  EXPECT_DOUBLE_EQ(summary.metrics[0].difference, 0);
  EXPECT_LT(summary.metrics[0].difference_interval.low, 0);
  ASSERT_TRUE(summary.divergence.has_value());
  const DivergenceSummary& d = *summary.divergence;
  EXPECT_EQ(d.tokens, 6U);
  EXPECT_DOUBLE_EQ(d.mean, 5.0 / 6);
  EXPECT_EQ(d.worst.question, 2U);
  EXPECT_EQ(d.worst.position, 1U);
  EXPECT_DOUBLE_EQ(d.agreement, 5.0 / 6);
  EXPECT_EQ(d.departing, 2U);
  EXPECT_DOUBLE_EQ(*d.mean_departure, 0.5);
  EXPECT_DOUBLE_EQ(d.percentile_95, 0.4 + (4 - 0.4) * 0.75);
}

TEST(Summary, AnswersPartWhereATokenDiffersOrOneEnds) {
  EXPECT_EQ(first_departure({.ids = {1, 2}}, {.ids = {1, 2}}), std::nullopt);
  EXPECT_EQ(first_departure({.ids = {1, 2}}, {.ids = {1, 3}}), 1U);
  EXPECT_EQ(first_departure({.ids = {1, 2}}, {.ids = {1}}), 1U);
  EXPECT_EQ(first_departure({.ids = {}}, {.ids = {5}}), 0U);
}

TEST(Bars, EachIsMissedOnItsWrongSideOnly) {
  const Summary summary = summarise(compared());
  struct Case {
    std::optional<double> Bars::* bar;
    double kept, missed;
  };
  for (const Case& c : {Case{&Bars::min_score, 0.5, 0.51}, Case{&Bars::max_drop, 0, -0.01}, Case{&Bars::max_kl, 0.9, 0.8},
                        Case{&Bars::max_kl_99, 4, 3}, Case{&Bars::min_agreement, 0.8, 0.9}}) {
    Bars bars{.max_failed = 1};
    bars.*c.bar = c.kept;
    EXPECT_TRUE(missed_bars(bars, summary).empty()) << c.kept;
    bars.*c.bar = c.missed;
    EXPECT_EQ(missed_bars(bars, summary).size(), 1U) << c.missed;
  }
  EXPECT_EQ(missed_bars({}, summary).size(), 1U) << "a question without an answer";
}

TEST(Bars, OneThatTheRunCannotTellIsWrongUsage) {
  EXPECT_FALSE(check_bars({.max_kl = 1}, {.metrics = {"exact"}}).ok());
  EXPECT_FALSE(check_bars({.max_drop = 1}, {.metrics = {"exact"}}).ok());
  EXPECT_FALSE(check_bars({.min_score = 1}, {}).ok());
  for (const double no_share : {1.1, -0.1, std::nan("")}) {
    EXPECT_FALSE(check_bars({.min_score = no_share}, {.metrics = {"exact"}}).ok()) << no_share;
    EXPECT_FALSE(check_bars({.min_agreement = no_share}, {.against = AnsweredBy{}}).ok()) << no_share;
  }
  EXPECT_TRUE(check_bars({.min_score = 1}, {.metrics = {"exact"}}).ok());
  EXPECT_TRUE(check_bars({.max_kl = 1}, {.against = AnsweredBy{}}).ok());
}

}  // namespace
}  // namespace fastvlm
