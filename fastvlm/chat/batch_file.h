// The two files of a batch: the questions, one JSON object a line, and the answers, one line appended for each.
#pragma once

#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/base/json.h"
#include "fastvlm/base/result.h"

namespace fastvlm {

struct BatchItem {
  std::size_t line = 0;  // from 1
  std::string hash;      // of the line's bytes
  OrderedJson id;        // as given; null when not
  std::string image;     // as given; empty: a question without a picture
  Path image_file;       // `image`, seen from the folder of the questions
  std::string prompt;
  std::string problem;  // why the line is no question; the fields above it are empty then
};

// {"id"?: …, "image"?: path, "prompt": text} on each line; empty lines are skipped. A line that is none has `problem`, with its
// number: only this line fails. A file without a good line is an Error.
Result<std::vector<BatchItem>> parse_batch(std::string_view text, const Path& folder, std::string_view what);
Result<std::vector<BatchItem>> read_batch(const Path& file);

// What an earlier run left in the answers file.
struct KeptAnswers {
  std::string text;            // whole lines to keep
  std::vector<bool> answered;  // by index of the items
  std::size_t dropped = 0;     // answers to lines that have changed since, failed ones, and a damaged end
};

// Sorts out earlier answers. An answer counts when the hash of its line is still the same and it is not a failure. A last line
// that a kill has cut off is dropped. Answers of another `run` (model, settings) or lines that are no answers are an Error.
Result<KeptAnswers> keep_answers(std::string_view text, const std::vector<BatchItem>& items, std::string_view run, std::string_view what);

// The answers file, open for more.
class AnswerFile {
 public:
  // Reads and repairs what is there; `answered` of the result follows `items`.
  static Result<AnswerFile> open(const Path& file, const std::vector<BatchItem>& items, std::string_view run);

  bool answered(std::size_t item) const { return answered_[item]; }
  std::size_t dropped() const { return dropped_; }
  // Appends one line, in one write. `fields` follow line, hash, run, id, image and prompt.
  Status append(const BatchItem& item, const OrderedJson& fields);

 private:
  AnswerFile(Path path, std::string run, KeptAnswers kept);
  Path path_;
  std::string run_;
  std::vector<bool> answered_;
  std::size_t dropped_;
  std::ofstream stream_;
};

}  // namespace fastvlm
