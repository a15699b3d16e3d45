// Scores of one answer, from 0 to 1. What each means and where it comes from: docs/evaluation.md.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fastvlm/base/result.h"
#include "fastvlm/evaluate/question.h"

namespace fastvlm {

using Answers = std::span<const std::string>;

// 1 when the answer is one of those given, white space around it and the case of letters aside.
double exact_match(std::string_view answer, Answers given);
// 1 when one of those given stands somewhere in the answer (OCRBench).
double contains(std::string_view answer, Answers given);
// Agreement with people, each of them left out once (VQAv2); one answer alone counts as everybody's.
double vqa_accuracy(std::string_view answer, Answers given);
// Normalised Levenshtein similarity to the nearest of those given, 0 below one half (DocVQA).
double anls(std::string_view answer, Answers given);
// Numbers within 5 %, other text equal but for case (ChartQA).
double relaxed_accuracy(std::string_view answer, Answers given);
// 1 when the letter that the answer chooses is given.
double choice_accuracy(std::string_view answer, const Question& question);

// The text as VQA accuracy compares it: small letters, no punctuation, no articles, digits for number words, apostrophes.
std::string vqa_normalised(std::string_view text);

// The letter of a choice that an answer means, by the rules of MMMU; nothing where MMMU draws one at random, unless the whole
// answer is the text of a choice.
std::optional<char> chosen_letter(std::string_view answer, std::span<const Choice> choices);

struct Metric {
  std::string_view name;   // "vqa"
  std::string_view title;  // "VQA accuracy"
  double (*score)(std::string_view answer, const Question& question);
};
std::span<const Metric> all_metrics();
// An Error that lists the names for an unknown one.
Result<const Metric*> find_metric(std::string_view name);

// "exact", and what suits the set: "choice" for questions with choices, "vqa" where there are several answers. Nothing for a set
// without answers.
std::vector<std::string> default_metrics(std::span<const Question> questions);

}  // namespace fastvlm
