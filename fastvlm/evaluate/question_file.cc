#include "fastvlm/evaluate/question_file.h"

#include <algorithm>
#include <unordered_map>

#include "fastvlm/base/hash.h"
#include "fastvlm/base/json_text.h"
#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 30;
constexpr std::size_t kMaxQuestions = 10'000'000;

using AnswersById = std::unordered_map<std::string, Json>;

// What a record of the file of answers says; for LLaVA's answer files that is "text".
const Json* answers_in(const Json& record) {
  for (const char* name : {"answers", "answer", "label", "gt_answer", "ground_truth", "text"})
    if (const Json* found = json_find(record, name)) return found;
  return nullptr;
}

// 7 and "7" are the same id: a table has texts only.
std::string key_of(const Json& id) { return plain_text(id); }

Result<AnswersById> parse_answers(std::string_view text, const Path& file) {
  AnswersById answers;
  Status read = for_each_record(text, SetFormat::kDetect, [&](const Record& record, const RecordContext&) -> Status {
    const std::string where = fmt::format("line {}", record.line);
    if (!record.problem.empty()) return bad_input("{}: {}", where, record.problem);
    const Json* id = nullptr;
    if (record.json.is_object())
      for (const char* name : {"id", "question_id", "questionId", "qid", "index"})
        if (id == nullptr) id = json_find(record.json, name);
    const Json* answer = id == nullptr ? nullptr : answers_in(record.json);
    if (answer == nullptr) return bad_input("{}: an answer needs an id and \"answers\", \"answer\" or \"text\"", where);
    if (!answers.emplace(key_of(*id), *answer).second) return bad_input("{}: the id {} stands twice", where, id->dump());
    return {};
  });
  if (!read.ok()) return std::move(read).error().within(file.string());
  return answers;
}

Result<Question> question_of(const Record& record, const QuestionContext& context, const AnswersById* answers) {
  if (!record.problem.empty()) return bad_input("{}", record.problem);
  if (answers == nullptr) return question_from(record.json, context);
  TRY_ASSIGN(Question bare, question_from(record.json, context));
  const auto found = answers->find(key_of(bare.id));
  if (bare.id.is_null() || found == answers->end()) return bad_input("the file of answers has none for its id");
  Json whole = record.json;
  whole["answers"] = found->second;
  return question_from(whole, context);
}

void hash_question(const Question& question, Sha256& hash) {
  OrderedJson row = {question.id, question.image, question.prompt, question.answers, question.problem};
  for (const Choice& choice : question.choices) row.push_back(choice.text);
  hash.update(as_bytes(row.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n"));
}

Status settle(QuestionSet& set) {
  set.has_answers = std::ranges::any_of(set.questions, [](const Question& q) { return q.problem.empty() && !q.answers.empty(); });
  Sha256 hash;
  for (Question& question : set.questions) {
    if (set.has_answers && question.problem.empty() && question.answers.empty()) question.problem = "it has no answer to compare with";
    if (!question.problem.empty()) ++set.problems;
    hash_question(question, hash);
  }
  set.hash = hash.hex();
  if (set.questions.empty()) return bad_input("no questions in it");
  const Question& first = set.questions.front();
  if (set.problems == set.questions.size())
    return bad_input("no line of it is a question; {} {}: {}", first.line > 0 ? "line" : "question",
                     first.line > 0 ? first.line : first.number, first.problem);
  return {};
}

}  // namespace

Result<QuestionSet> parse_questions(const QuestionTexts& texts, const QuestionFileOptions& options) {
  std::optional<AnswersById> answers;
  if (!options.answers.empty()) {
    TRY_ASSIGN(answers, parse_answers(texts.answers, options.answers));
  }
  QuestionContext context{.images = options.images.empty() ? options.data.parent_path() : options.images};
  QuestionSet set;
  const auto use = [&](const Record& record, const RecordContext& about) -> Status {
    if (set.questions.size() == kMaxQuestions) return bad_input("it has more than {} questions", kMaxQuestions);
    context.data_subtype = about.data_subtype;
    auto question = question_of(record, context, answers ? &*answers : nullptr);
    set.questions.push_back(question.ok() ? *std::move(question) : Question{.problem = question.error().message});
    set.questions.back().number = set.questions.size();
    set.questions.back().line = record.line;
    return {};
  };
  Status read = for_each_record(texts.data, options.format, use);
  if (read.ok()) read = settle(set);
  if (!read.ok()) return std::move(read).error().within(options.data.string());
  return set;
}

Result<QuestionSet> read_questions(const QuestionFileOptions& options) {
  TRY_ASSIGN(const std::string data, read_file(options.data, kMaxFileBytes));
  std::string answers;
  if (!options.answers.empty()) {
    TRY_ASSIGN(answers, read_file(options.answers, kMaxFileBytes));
  }
  return parse_questions({.data = data, .answers = answers}, options);
}

}  // namespace fastvlm
