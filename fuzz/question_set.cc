// Any bytes as a set of questions, as its file of answers and as a file of results: questions, rows, or one sentence; and what is kept
// of results is kept again.
#include <cstdlib>

#include "fastvlm/evaluate/question_file.h"
#include "fastvlm/evaluate/results.h"

using namespace fastvlm;

namespace {

void check_questions(const QuestionTexts& texts, const QuestionFileOptions& options) {
  const auto set = parse_questions(texts, options);
  if (!set.ok()) return;
  std::size_t number = 0;
  for (const Question& question : set->questions) {
    if (question.number != ++number) std::abort();
    if (!question.problem.empty()) continue;
    if (question.prompt.empty() || question.image.empty() != question.image_file.empty()) std::abort();
    if (question.answers.size() > kMaxAnswers || question.choices.size() > kMaxChoices) std::abort();
    if (set->has_answers && question.answers.empty()) std::abort();
  }
  if (set->problems == set->questions.size()) std::abort();
}

void check_results(std::string_view text) {
  const auto results = parse_results(text, "results");
  if (!results.ok()) return;
  std::string again = header_line(results->header);
  for (const ResultRow& row : results->rows) again += row_line(results->header, row);
  const auto second = parse_results(again, "again");
  if (!second.ok() || second->rows != results->rows || second->header != results->header) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const SetFormat format : {SetFormat::kDetect, SetFormat::kJsonLines, SetFormat::kJson, SetFormat::kCsv, SetFormat::kTsv})
    check_questions({.data = text, .answers = {}}, {.data = "/sets/set", .format = format});
  check_questions({.data = "{\"id\": 1, \"prompt\": \"x\"}", .answers = text}, {.data = "/sets/set", .answers = "/sets/answers"});
  check_results(text);
  return 0;
}
