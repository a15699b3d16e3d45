// evaluate: a set of questions answered one by one and scored, into a file that a later run goes on with.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "fastvlm/base/progress.h"
#include "fastvlm/chat/chat.h"
#include "fastvlm/evaluate/question_file.h"
#include "fastvlm/evaluate/results.h"

namespace fastvlm {

// An answer, or why this question cannot have one while the next may. Scores are filled in by run_evaluation().
struct Answered {
  Reply reply;
  std::optional<Comparison> comparison;
  std::string error;
};
// `next` comes after this question, or is nullptr.
using AnswerQuestion = std::function<Result<Answered>(const Question& question, const Question* next)>;

struct EvaluationReport {
  Results results;
  std::size_t answered_before = 0;
  std::size_t answered = 0;  // by this run
};

// Answers what the file lacks of the header's shard; metrics, set and size of the header are taken from `set` and `metrics`. An
// Error of `answer` ends the run; what is written stays.
Result<EvaluationReport> run_evaluation(const QuestionSet& set, const ResultsHeader& header, const Path& file, const AnswerQuestion& answer,
                                        Progress& progress);

// The header's lines about the set.
Status describe_set(const QuestionSet& set, std::vector<std::string> metrics, ResultsHeader& header);

// Through a chat: pictures that cannot be read and prompts that are too long become Answered::error. The picture of the next question
// is encoded beside the decoding of this one.
Result<Answered> answer_question(Chat& chat, const Question& question, const Question* next);
// Model and settings of a chat.
Result<AnsweredBy> answered_by(const Chat& chat, std::string_view runner);

// "set.jsonl" -> "set.jsonl.results.jsonl", for shard 2 of 7 "set.jsonl.results-2of7.jsonl".
Path default_results_file(const Path& data, const Shard& shard);

}  // namespace fastvlm
