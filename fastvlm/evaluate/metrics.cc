#include "fastvlm/evaluate/metrics.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "fastvlm/evaluate/text_forms.h"

namespace fastvlm {
namespace {

constexpr double kLeastSimilarity = 0.5;  // ANLS: Biten et al. 2019, tau
constexpr double kRelaxedChange = 0.05;   // ChartQA: Masry et al. 2022, section 5.1
constexpr double kPeopleThatAgree = 3;    // VQA: Antol et al. 2015

double similarity(const std::u32string& one, const std::u32string& other) {
  const std::size_t longest = std::max(one.size(), other.size());
  if (longest == 0) return 1;
  const double distance = static_cast<double>(levenshtein(one, other)) / static_cast<double>(longest);
  return distance < kLeastSimilarity ? 1 - distance : 0;
}

// "12 %" is not a number, "12%" is 0.12.
bool value_of(std::string_view text, double& value) {
  const bool percent = text.ends_with('%');
  while (percent && text.ends_with('%')) text.remove_suffix(1);
  if (!number_from(text, value)) return false;
  if (percent) value /= 100;
  return true;
}

bool relaxed_match(std::string_view answer, std::string_view target) {
  double predicted = 0, wanted = 0;
  const bool numbers = value_of(answer, predicted) && value_of(target, wanted);
  if (numbers && wanted != 0) return std::abs(predicted - wanted) / std::abs(wanted) <= kRelaxedChange;
  return small_letters(answer) == small_letters(target);
}

std::string on_one_line(std::string_view text) { return replaced(small_letters(without_margins(text)), "\n", " "); }

constexpr Metric kMetrics[] = {
    {"exact", "exact match", [](std::string_view answer, const Question& q) { return exact_match(answer, q.answers); }},
    {"contains", "contains", [](std::string_view answer, const Question& q) { return contains(answer, q.answers); }},
    {"vqa", "VQA accuracy", [](std::string_view answer, const Question& q) { return vqa_accuracy(answer, q.answers); }},
    {"anls", "ANLS", [](std::string_view answer, const Question& q) { return anls(answer, q.answers); }},
    {"relaxed", "relaxed accuracy", [](std::string_view answer, const Question& q) { return relaxed_accuracy(answer, q.answers); }},
    {"choice", "choice letter", choice_accuracy},
};

}  // namespace

double exact_match(std::string_view answer, Answers given) {
  const std::string small = small_letters(without_margins(answer));
  return std::ranges::any_of(given, [&](const std::string& one) { return small_letters(without_margins(one)) == small; }) ? 1 : 0;
}

double contains(std::string_view answer, Answers given) {
  const std::string small = on_one_line(answer);
  return std::ranges::any_of(given, [&](const std::string& one) { return small.find(on_one_line(one)) != std::string::npos; }) ? 1 : 0;
}

double vqa_accuracy(std::string_view answer, Answers given) {
  const std::string ours = vqa_normalised(answer);
  double matching = 0;
  for (const std::string& one : given) matching += vqa_normalised(one) == ours ? 1 : 0;
  const auto people = static_cast<double>(given.size());
  if (people <= 1) return matching;
  // Left out, one who agrees takes a vote away.
  const double without_one = std::min(1.0, (matching - 1) / kPeopleThatAgree), with_all = std::min(1.0, matching / kPeopleThatAgree);
  return (matching * without_one + (people - matching) * with_all) / people;
}

double anls(std::string_view answer, Answers given) {
  const std::u32string ours = characters_of(small_letters(with_single_blanks(answer)));
  double best = 0;
  for (const std::string& one : given) best = std::max(best, similarity(ours, characters_of(small_letters(with_single_blanks(one)))));
  return best;
}

double relaxed_accuracy(std::string_view answer, Answers given) {
  const std::string_view ours = without_margins(answer);
  return std::ranges::any_of(given, [&](const std::string& one) { return relaxed_match(ours, without_margins(one)); }) ? 1 : 0;
}

double choice_accuracy(std::string_view answer, const Question& question) {
  const std::optional<char> letter = chosen_letter(answer, question.choices);
  return letter && std::ranges::find(question.answers, std::string(1, *letter)) != question.answers.end() ? 1 : 0;
}

std::span<const Metric> all_metrics() { return kMetrics; }

Result<const Metric*> find_metric(std::string_view name) {
  for (const Metric& metric : kMetrics)
    if (metric.name == name) return &metric;
  std::vector<std::string_view> names;
  for (const Metric& metric : kMetrics) names.push_back(metric.name);
  return bad_option("metric", "{}: is not one of {}", name, fmt::join(names, ", "));
}

std::vector<std::string> default_metrics(std::span<const Question> questions) {
  bool answered = false, choices = false, several = false;
  for (const Question& question : questions) {
    if (!question.problem.empty() || question.answers.empty()) continue;
    answered = true;
    choices = choices || !question.choices.empty();
    several = several || question.answers.size() > 1;
  }
  std::vector<std::string> names;
  if (!answered) return names;
  names.emplace_back("exact");
  if (several) names.emplace_back("vqa");
  if (choices) names.emplace_back("choice");
  return names;
}

}  // namespace fastvlm
