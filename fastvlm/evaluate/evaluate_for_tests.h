// A model that costs nothing, and sets of questions for it.
#pragma once

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/base/try.h"
#include "fastvlm/evaluate/evaluate.h"

namespace fastvlm {

inline std::string replaced_in(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

inline QuestionSet set_for_tests(std::size_t count) {
  QuestionSet set{.hash = "hash", .has_answers = true};
  for (std::size_t i = 1; i <= count; ++i)
    set.questions.push_back({.number = i, .line = i, .id = "q" + std::to_string(i), .prompt = std::to_string(i), .answers = {"yes"}});
  return set;
}

// Says "yes" to two of three; what it says depends on the question only. Every tenth fails.
inline Result<Answered> answer_for_tests(const Question& question, const Question*) {
  if (question.number % 10 == 0) return Answered{.error = "no picture"};
  const auto id = static_cast<std::int32_t>(question.number);
  return Answered{.reply = {.answer = question.number % 3 == 0 ? "no" : "yes", .ids = {id, id + 1}, .finish = "stop"}};
}

inline ResultsHeader header_for_tests(const QuestionSet& set, const Shard& shard = {}) {
  ResultsHeader header{.by = {.model = "m", .runner = "cpu", .recipe = "fp16", .run = "r"}, .shard = shard};
  FASTVLM_ASSERT(describe_set(set, {"exact", "anls"}, header).ok(), "metrics of the test");
  return header;
}

inline Result<EvaluationReport> evaluate_for_tests(const QuestionSet& set, const Path& file, const Shard& shard = {},
                                                   const AnswerQuestion& answer = answer_for_tests) {
  Progress progress;
  return run_evaluation(set, header_for_tests(set, shard), file, answer, progress);
}

}  // namespace fastvlm
