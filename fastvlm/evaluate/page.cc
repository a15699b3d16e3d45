#include "fastvlm/evaluate/page.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <tuple>

#include "fastvlm/base/json_text.h"
#include "fastvlm/evaluate/metrics.h"
#include "fastvlm/evaluate/text_forms.h"
#include "fastvlm/report/html.h"
#include "fastvlm/report/picture.h"
#include "fastvlm/report/plot.h"

namespace fastvlm {
namespace {

using report::escaped;

constexpr std::size_t kMostPositions = 256;  // in the plot
constexpr std::size_t kMostAnswersShown = 10;
constexpr std::size_t kHashDigits = 12;

std::string percent(double share) { return fmt::format("{:.2f} %", 100 * share); }
std::string range(const Interval& interval) { return percent(interval.low) + " … " + percent(interval.high); }
std::string title_of(const std::string& metric) {
  const auto found = find_metric(metric);
  return std::string(found.ok() ? (*found)->title : metric);
}

double largest_divergence(const ResultRow& row) {
  return row.comparison && !row.comparison->kl.empty() ? std::ranges::max(row.comparison->kl) : 0;
}

// ---- Facts, scores and plots --------------------------------------------------------------------------------------------

std::string facts(const Results& results, const Summary& summary) {
  const ResultsHeader& header = results.header;
  std::vector<std::vector<std::string>> rows = {{"", "first"}};
  rows.push_back({"model (SHA-256 of its manifest)", header.by.model.substr(0, kHashDigits)});
  rows.push_back({"decoder", header.by.recipe});
  rows.push_back({"runner", header.by.runner});
  if (header.against) {
    const AnsweredBy& other = *header.against;
    rows[0].emplace_back("other");
    rows[1].push_back(other.model.substr(0, kHashDigits));
    rows[2].push_back(other.recipe);
    rows[3].push_back(other.runner);
  }
  std::string told = fmt::format("{} questions (set {}), {} without an answer, {} tokens answered.", summary.questions,
                                 header.data.substr(0, kHashDigits), summary.failed, summary.new_tokens);
  if (!header.shard.is_whole()) told += fmt::format(" Only shard {}.", to_string(header.shard));
  return report::table(rows) + report::paragraph(told);
}

std::string scores(const Summary& summary) {
  if (summary.metrics.empty()) return "";
  std::vector<std::vector<std::string>> rows = {{"metric", "score", "95 % interval"}};
  if (summary.divergence) rows[0].insert(rows[0].end(), {"other", "95 % interval", "difference", "95 % interval of the pairs"});
  for (const MetricSummary& metric : summary.metrics) {
    rows.push_back({title_of(metric.metric), percent(metric.score), range(metric.interval)});
    if (metric.against)
      rows.back().insert(rows.back().end(), {percent(*metric.against), range(metric.against_interval), percent(metric.difference),
                                             range(metric.difference_interval)});
  }
  return report::heading("Scores") + report::table(rows);
}

std::string divergence(const Results& results, const Summary& summary) {
  if (!summary.divergence || summary.divergence->tokens == 0) return "";
  const DivergenceSummary& d = *summary.divergence;
  std::vector<std::vector<std::string>> rows = {{"KL divergence of a token, in nats", ""}};
  rows.push_back({"mean", fmt::format("{:.3e}", d.mean)});
  rows.push_back({"95th percentile", fmt::format("{:.3e}", d.percentile_95)});
  rows.push_back({"99th percentile", fmt::format("{:.3e}", d.percentile_99)});
  rows.push_back({fmt::format("worst: question {}, token {}", d.worst.question, d.worst.position + 1), fmt::format("{:.3e}", d.worst.kl)});
  rows.push_back({"tokens", std::to_string(d.tokens)});
  rows.push_back({"same first choice", percent(d.agreement)});
  rows.push_back({"greedy answers that differ", std::to_string(d.departing)});
  if (d.mean_departure) rows.push_back({"their first difference, mean token", fmt::format("{:.1f}", *d.mean_departure + 1)});
  std::vector<double> all;
  for (const ResultRow& row : results.rows)
    if (row.comparison) all.insert(all.end(), row.comparison->kl.begin(), row.comparison->kl.end());
  std::string plots = report::line_plot({.title = "KL divergence by position",
                                         .x_name = "token of the answer",
                                         .y_name = "mean, nats",
                                         .series = {{"", divergence_by_position(results)}},
                                         .logarithmic = true});
  plots += report::histogram({.title = "Tokens by their KL divergence", .x_name = "from, nats", .bars = report::decades_of(all)});
  return report::heading("Divergence") + report::table(rows) + "<div class=\"plots\">\n" + plots + "</div>\n";
}

// ---- Questions ----------------------------------------------------------------------------------------------------------

std::string picture_of(const Question& question, int side) {
  if (question.image.empty()) return "<div class=\"none\">no picture</div>";
  const auto picture = report::embedded_picture(question.image_file, side, question.image);
  return picture.ok() ? *picture : "<div class=\"none\">the picture cannot be read</div>";
}

std::string answer_box(const char* kind, const std::string& name, const std::string& markup) {
  return fmt::format("<div class=\"answer {}\"><b>{}</b>{}</div>\n", kind, escaped(name), markup.empty() ? "<i>nothing</i>" : markup);
}

std::string scores_of(const ResultsHeader& header, const Reply& reply) {
  std::string text;
  for (std::size_t i = 0; i < reply.scores.size(); ++i)
    text += fmt::format("{}{} {:.2f}", i == 0 ? "" : ", ", header.metrics[i], reply.scores[i]);
  return text;
}

std::string answers_of(const ResultsHeader& header, const ResultRow& row, const Question& question) {
  std::string boxes;
  if (!question.answers.empty()) {
    const std::size_t shown = std::min(question.answers.size(), kMostAnswersShown);
    boxes += answer_box("given", "expected", escaped(fmt::format("{}", fmt::join(std::span(question.answers).first(shown), " | "))));
  }
  if (!row.error.empty()) return boxes + answer_box("bad", "no answer", escaped(row.error));
  const auto name = [&](const char* who, const Reply& reply) {
    const std::string told = scores_of(header, reply);
    return told.empty() ? std::string(who) : fmt::format("{}: {}", who, told);
  };
  if (!row.comparison) return boxes + answer_box("first", name("answer", row.reply), escaped(row.reply.answer));
  const auto [first, other] = marked_departure(row.reply.answer, row.comparison->reply.answer);
  return boxes + answer_box("first", name("first", row.reply), first) + answer_box("other", name("other", row.comparison->reply), other);
}

std::string card(const ResultsHeader& header, const ResultRow& row, const Question& question, int side) {
  std::string small = fmt::format("question {}", row.question);
  if (!row.id.is_null()) small += ", " + plain_text(row.id);
  if (!question.image.empty()) small += ", " + question.image;
  if (row.comparison) small += fmt::format(", largest KL {:.3e}", largest_divergence(row));
  return fmt::format(
      "<div class=\"card\">\n<div>{}</div>\n<div><div class=\"prompt\">{}</div>\n<div class=\"answers\">\n{}</div>\n"
      "<div class=\"small\">{}</div></div>\n</div>\n",
      picture_of(question, side), escaped(question.prompt), answers_of(header, row, question), escaped(small));
}

}  // namespace

std::pair<std::string, std::string> marked_departure(std::string_view one, std::string_view other) {
  if (one == other) return {escaped(one), escaped(other)};
  const std::vector<std::string_view> ours = words_of(one), theirs = words_of(other);
  std::size_t at = 0;
  while (at < ours.size() && at < theirs.size() && ours[at] == theirs[at]) ++at;
  const auto marked = [at](std::string_view text, const std::vector<std::string_view>& words) {
    if (at >= words.size()) return escaped(text) + " <mark>(ends)</mark>";
    const auto before = static_cast<std::size_t>(words[at].data() - text.data());
    return escaped(text.substr(0, before)) + "<mark>" + escaped(words[at]) + "</mark>" + escaped(text.substr(before + words[at].size()));
  };
  return {marked(one, ours), marked(other, theirs)};
}

std::vector<double> divergence_by_position(const Results& results) {
  std::vector<double> sums, counts;
  for (const ResultRow& row : results.rows) {
    if (!row.comparison) continue;
    for (std::size_t i = 0; i < std::min(row.comparison->kl.size(), kMostPositions); ++i) {
      if (i == sums.size()) {
        sums.push_back(0);
        counts.push_back(0);
      }
      sums[i] += row.comparison->kl[i];
      ++counts[i];
    }
  }
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] /= counts[i];
  return sums;
}

std::vector<std::size_t> rows_to_show(const Results& results, std::size_t most) {
  using Place = std::tuple<bool, bool, double, double, std::size_t>;  // small first
  std::vector<Place> places;
  for (std::size_t i = 0; i < results.rows.size(); ++i) {
    const ResultRow& row = results.rows[i];
    const bool parts = row.comparison && first_departure(row.reply, row.comparison->reply).has_value();
    double score = row.reply.scores.empty() ? 0 : row.reply.scores.front();
    if (row.comparison && !row.comparison->reply.scores.empty()) score = std::min(score, row.comparison->reply.scores.front());
    places.emplace_back(row.error.empty(), !parts, score, -largest_divergence(row), i);
  }
  std::ranges::sort(places);
  places.resize(std::min(places.size(), most));
  std::vector<std::size_t> rows;
  for (const Place& place : places) rows.push_back(std::get<4>(place));
  return rows;
}

std::string results_page(const Results& results, const QuestionSet& set, const Summary& summary, const PageOptions& options) {
  std::string body = facts(results, summary);
  for (const std::string& sentence : options.missed) body += fmt::format("<p class=\"bad\">{}</p>\n", escaped(sentence));
  body += scores(summary) + divergence(results, summary);
  const std::vector<std::size_t> shown = rows_to_show(results, options.questions);
  body += report::heading(shown.size() < results.rows.size()
                              ? fmt::format("Questions: {} of {}, those most worth a look first", shown.size(), results.rows.size())
                              : "Questions, those most worth a look first");
  for (const std::size_t index : shown) {
    const ResultRow& row = results.rows[index];
    body += card(results.header, row, set.questions[row.question - 1], options.picture_side);
  }
  return report::page(results.header.against ? "Two models compared" : "Answers to a set of questions", body);
}

}  // namespace fastvlm
