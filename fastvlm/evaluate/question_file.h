// Files of questions: JSON by lines, one JSON document, CSV or TSV with a header, and the answers that may lie in a second file.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "fastvlm/evaluate/question.h"

namespace fastvlm {

enum class SetFormat { kDetect, kJsonLines, kJson, kCsv, kTsv };
inline constexpr std::string_view kSetFormatNames[] = {"detect", "jsonl", "json", "csv", "tsv"};
Result<SetFormat> set_format(std::string_view name);

struct QuestionFileOptions {
  Path data;
  Path images;   // folder that names of pictures begin at; empty: that of `data`
  Path answers;  // file of answers by id; empty: the answers stand with the questions
  SetFormat format = SetFormat::kDetect;
};

struct QuestionSet {
  std::vector<Question> questions;  // those with a problem too
  std::string hash;                 // of all of them, whatever form the file has: SHA-256
  bool has_answers = false;         // of the good ones
  std::size_t problems = 0;
};

// A line that is no question has its `problem`. When some questions have answers, one without is a problem too. An Error only for
// a file that cannot be read, is in no known form or has no good question.
//
// A JSON document is a list of records, or an object whose member "questions" or "data" is one (VQAv2, TextVQA).
Result<QuestionSet> read_questions(const QuestionFileOptions& options);

// The texts of files instead of their paths; `answers` may be empty.
struct QuestionTexts {
  std::string_view data;
  std::string_view answers;
};
Result<QuestionSet> parse_questions(const QuestionTexts& texts, const QuestionFileOptions& options);

// The records of a set, one after another: their line (0 when there are none) and what they hold, or what is wrong with them.
struct Record {
  std::size_t line = 0;
  Json json;
  std::string problem;
};
struct RecordContext {
  std::string data_subtype;
};
Status for_each_record(std::string_view text, SetFormat format, const std::function<Status(const Record&, const RecordContext&)>& use);

}  // namespace fastvlm
