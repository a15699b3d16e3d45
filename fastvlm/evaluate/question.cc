#include "fastvlm/evaluate/question.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <optional>

#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

constexpr std::size_t kMaxPathBytes = 4'096;
constexpr std::string_view kImageWord = "<image>";
// The words of LLaVA's scripts for questions with choices.
constexpr std::string_view kChoiceOrder = "Answer with the option's letter from the given choices directly.";

using Names = std::initializer_list<const char*>;
constexpr Names kIdNames = {"id", "question_id", "questionId", "qid", "index"};
constexpr Names kImageNames = {"image", "image_path", "image_file", "file_name"};
constexpr Names kPromptNames = {"prompt", "question", "text", "query"};
constexpr Names kAnswerNames = {"answers", "answer", "label", "gt_answer", "ground_truth"};
constexpr Names kChoiceNames = {"options", "choices"};

const Json* first_of(const Json& record, Names names) {
  for (const char* name : names)
    if (const Json* found = json_find(record, name)) return found;
  return nullptr;
}

// Texts as they are, numbers as JSON writes them.
std::optional<std::string> word_of(const Json& json) {
  if (json.is_string()) return json.get<std::string>();
  if (json.is_number() || json.is_boolean()) return json.dump();
  return std::nullopt;
}

std::string trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1));
}

// ---- Pictures and words -------------------------------------------------------------------------------------------------

std::optional<std::string> image_by_number(const Json& id, const QuestionContext& context) {
  const std::optional<std::string> word = word_of(id);
  if (!word || word->empty()) return std::nullopt;
  if (id.is_number_unsigned() && !context.data_subtype.empty())
    return fmt::format("COCO_{}_{:012}.jpg", context.data_subtype, id.get<std::uint64_t>());
  return Path(*word).has_extension() ? *word : *word + ".jpg";
}

Status set_image(const Json& record, const QuestionContext& context, Question& question) {
  std::optional<std::string> name;
  if (const Json* image = first_of(record, kImageNames)) {
    if (image->is_array() && !image->empty()) image = &image->front();
    if (image->is_object()) image = json_find(*image, "path");
    if (image != nullptr && image->is_string()) name = image->get<std::string>();
    if (!name) return bad_input("the picture is no path");
  } else if (const Json* id = json_find(record, "image_id")) {
    name = image_by_number(*id, context);
    if (!name) return bad_input("\"image_id\" is neither a text nor a number");
  }
  if (!name) return {};
  if (name->empty() || name->size() > kMaxPathBytes || name->find('\0') != std::string::npos) return bad_input("the picture is no path");
  question.image = *name;
  question.image_file = context.images / *name;
  return {};
}

std::string without_image_word(std::string text) {
  bool found = false;
  for (std::size_t at = text.find(kImageWord); at != std::string::npos; at = text.find(kImageWord, at)) {
    text.erase(at, kImageWord.size());
    found = true;
  }
  return found ? trimmed(text) : text;
}

// The first thing a human says, and what is answered.
Status set_conversation(const Json& turns, Question& question) {
  if (!turns.is_array()) return bad_input("\"conversations\" is no list");
  for (const Json& turn : turns) {
    if (!turn.is_object()) return bad_input("a turn of \"conversations\" is no object");
    TRY_ASSIGN(const std::string from, json_string(turn, "from", "a turn"));
    TRY_ASSIGN(std::string said, json_string(turn, "value", "a turn"));
    const bool human = from == "human" || from == "user";
    if (human && !question.prompt.empty()) break;
    if (human) question.prompt = std::move(said);
    if (!human && from != "system" && question.answers.empty() && !question.prompt.empty()) question.answers = {std::move(said)};
  }
  return {};
}

// ---- Answers ------------------------------------------------------------------------------------------------------------

Status add_answer(const Json& json, Question& question) {
  const Json* value = json.is_object() ? json_find(json, "answer") : &json;
  const std::optional<std::string> word = value == nullptr ? std::nullopt : word_of(*value);
  if (!word) return bad_input("an answer is neither a text nor a number");
  if (question.answers.size() == kMaxAnswers) return bad_input("it has more than {} answers", kMaxAnswers);
  question.answers.push_back(*word);
  return {};
}

// A cell of a CSV file holds a list as JSON.
Status set_answers(const Json& given, Question& question) {
  if (given.is_string() && given.get_ref<const std::string&>().starts_with('[')) {
    if (const auto list = parse_json(given.get_ref<const std::string&>(), "the answers"); list.ok() && list->is_array())
      return set_answers(*list, question);
  }
  if (!given.is_array()) return add_answer(given, question);
  for (const Json& one : given) TRY(add_answer(one, question));
  return {};
}

// ---- Choices ------------------------------------------------------------------------------------------------------------

std::string letter_name(std::size_t index) { return std::string(1, static_cast<char>('A' + index)); }

Status set_choices(const Json& record, Question& question) {
  const Json* given = first_of(record, kChoiceNames);
  Json parsed;
  if (given != nullptr && given->is_string()) {
    TRY_ASSIGN(parsed, parse_json(given->get_ref<const std::string&>(), "the choices"));
    given = &parsed;
  }
  const bool list = given != nullptr && given->is_array();
  if (given != nullptr && !list && !given->is_object()) return bad_input("the choices are neither a list nor an object by letters");
  const std::size_t most = list ? given->size() : kMaxChoices;
  if (most > kMaxChoices) return bad_input("it has more than {} choices", kMaxChoices);
  for (std::size_t i = 0; i < most; ++i) {
    const Json* one = list ? &(*given)[i] : json_find(given == nullptr ? record : *given, letter_name(i));
    if (one == nullptr) break;
    const std::optional<std::string> word = word_of(*one);
    if (!word) return bad_input("choice {} is neither a text nor a number", letter_name(i));
    question.choices.push_back({letter_name(i)[0], *word});
  }
  // One letter alone is a member that means something else.
  if (question.choices.size() < 2) question.choices.clear();
  return {};
}

// The letter that an answer means: a letter, the text of a choice, or an index from 0 (the one thing a number means).
std::optional<char> letter_of(const std::string& answer, bool number, const std::vector<Choice>& choices) {
  std::string word = trimmed(answer);
  if (word.size() == 3 && word.front() == '(' && word.back() == ')') word = word.substr(1, 1);
  if (!number) {
    for (const Choice& choice : choices)
      if (word.size() == 1 && (word[0] == choice.letter || word[0] == choice.letter - 'A' + 'a')) return choice.letter;
    for (const Choice& choice : choices)
      if (word == trimmed(choice.text)) return choice.letter;
  }
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), index);
  if (error == std::errc() && end == word.data() + word.size() && index < choices.size()) return choices[index].letter;
  return std::nullopt;
}

Status settle_choices(bool number, Question& question) {
  if (question.choices.empty()) return {};
  for (std::string& answer : question.answers) {
    const std::optional<char> letter = letter_of(answer, number, question.choices);
    if (!letter) return bad_input("the answer \"{}\" is none of its {} choices", answer, question.choices.size());
    answer = std::string(1, *letter);
  }
  for (const Choice& choice : question.choices) question.prompt += fmt::format("\n{}. {}", choice.letter, choice.text);
  question.prompt += fmt::format("\n{}", kChoiceOrder);
  return {};
}

Status set_prompt(const Json& record, Question& question) {
  if (const Json* turns = json_find(record, "conversations")) {
    TRY(set_conversation(*turns, question));
  } else {
    const Json* prompt = first_of(record, kPromptNames);
    if (prompt == nullptr) return bad_input("it has no \"prompt\", \"question\" or \"text\"");
    if (!prompt->is_string()) return bad_input("what is asked is no text");
    question.prompt = prompt->get<std::string>();
  }
  question.prompt = without_image_word(std::move(question.prompt));
  if (trimmed(question.prompt).empty()) return bad_input("nothing is asked");
  if (const Json* hint = json_find(record, "hint"); hint != nullptr && hint->is_string() && !hint->get_ref<const std::string&>().empty())
    question.prompt = hint->get<std::string>() + "\n" + question.prompt;
  return {};
}

}  // namespace

Result<Question> question_from(const Json& record, const QuestionContext& context) {
  if (!record.is_object()) return bad_input("it is no object");
  Question question;
  if (const Json* id = first_of(record, kIdNames)) {
    if (!id->is_string() && !id->is_number()) return bad_input("its id is neither a text nor a number");
    question.id = *id;
  }
  TRY(set_image(record, context, question));
  TRY(set_prompt(record, question));
  TRY(set_choices(record, question));
  const Json* answers = first_of(record, kAnswerNames);
  if (answers != nullptr) {
    question.answers.clear();
    TRY(set_answers(*answers, question));
  }
  TRY(settle_choices(answers != nullptr && answers->is_number(), question));
  return question;
}

}  // namespace fastvlm
