// A question of a set: a picture, words, and what is right. Sets of any form become these.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/base/json.h"
#include "fastvlm/base/result.h"

namespace fastvlm {

// A choice of a question with several: the letter "B" and the text behind it.
struct Choice {
  char letter = 'A';
  std::string text;
  bool operator==(const Choice&) const = default;
};

struct Question {
  std::size_t number = 0;  // from 1, in the order of the set
  std::size_t line = 0;    // of the file; 0 in files that are not read by lines
  OrderedJson id;          // text or number as given; null when not
  std::string image;       // as given; empty: a question without a picture
  Path image_file;         // where that is
  std::string prompt;      // what the model is asked, choices included
  std::vector<std::string> answers;
  std::vector<Choice> choices;
  std::string problem;  // why this is no question; then the fields above it may be empty
};

inline constexpr std::size_t kMaxAnswers = 1'000;
inline constexpr std::size_t kMaxChoices = 26;

// Where pictures lie, and what the set says about all of them.
struct QuestionContext {
  Path images;               // folder that names of pictures begin at
  std::string data_subtype;  // of a VQAv2 file ("val2014"): pictures are numbers, COCO_val2014_000000000042.jpg
};

// From one record of a set, whatever its form. These members are understood, the first that is there:
//   id        id, question_id, questionId, qid, index
//   image     image, image_path, image_file, file_name, image_id ("7" means 7.jpg)
//   prompt    prompt, question, text, query; a leading or trailing <image> of LLaVA is taken off
//   answers   answers (texts, or objects with "answer"), answer, label, gt_answer, ground_truth
//   choices   options, choices: a list, or an object by letters; or members "A", "B", … of the record itself
// A record with "conversations" (LLaVA) is the first thing a human says and what is answered. Choices are put below the
// question as LLaVA does it. An answer that is an index or the text of a choice becomes its letter.
Result<Question> question_from(const Json& record, const QuestionContext& context);

}  // namespace fastvlm
