// chat --batch: many questions, answered one by one into a file that a later run goes on with.
#pragma once

#include <functional>

#include "fastvlm/base/progress.h"
#include "fastvlm/chat/batch_file.h"
#include "fastvlm/chat/chat.h"

namespace fastvlm {

struct BatchOptions {
  Path file;        // of the questions
  Path output;      // of the answers
  std::string run;  // names model and settings: answers of another run are not mixed with these
};

struct BatchReport {
  std::size_t questions = 0;
  std::size_t answered_before = 0;
  std::size_t answered = 0;  // by this run
  std::size_t failed = 0;    // lines with "error"
  std::int64_t new_tokens = 0;
};

// An answer, or why this question cannot have one while the next may.
struct BatchReply {
  Answer answer;
  std::string error;
};
// `next` comes after this item, or is nullptr.
using AnswerItem = std::function<Result<BatchReply>(const BatchItem& item, const BatchItem* next)>;

// What an Error of `answers` questions that are in the file already says: an interrupt takes nothing of them, and the next run goes on.
Error with_kept_answers(Error error, const Path& file, std::size_t answers);

// Each question is a conversation of its own. An Error of `answer` ends the run; what is written stays.
Result<BatchReport> run_batch(const BatchOptions& options, const AnswerItem& answer, Progress& progress);

// Through a chat: pictures that cannot be read and prompts that are too long become BatchReply::error.
Result<BatchReply> answer_item(Chat& chat, const BatchItem& item);

// The name of a run, from the manifest's bytes and everything that changes answers.
Result<std::string> batch_run_name(const ChatOptions& options, std::string_view runner);

// "questions.jsonl" -> "questions.jsonl.answers.jsonl".
Path default_batch_output(const Path& file);

}  // namespace fastvlm
