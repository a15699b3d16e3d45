// Scores of answers that come by lines on standard input, {"answer": …, "answers": […], "choices": […]}: a line {"exact": 1.0, …} for
// each. bench/metrics_vs_public.py compares them with public implementations.
#include <fmt/core.h>

#include <iostream>
#include <string>

#include "fastvlm/base/json.h"
#include "fastvlm/evaluate/metrics.h"

int main() {
  using namespace fastvlm;
  for (std::string line; std::getline(std::cin, line);) {
    const Json json = Json::parse(line);
    Question question{.answers = json.at("answers").get<std::vector<std::string>>()};
    for (const Json& text : json.at("choices"))
      question.choices.push_back({static_cast<char>('A' + question.choices.size()), text.get<std::string>()});
    const std::string answer = json.at("answer");
    OrderedJson scores;
    for (const Metric& metric : all_metrics()) scores[std::string(metric.name)] = metric.score(answer, question);
    scores["normalised"] = vqa_normalised(answer);
    scores["letter"] = std::string(1, chosen_letter(answer, question.choices).value_or('-'));
    fmt::print("{}\n", scores.dump());
  }
}
