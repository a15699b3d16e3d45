// Questions about pictures, and what the float model answers: the sequences along which other weights are compared with it.
#pragma once

#include <string>
#include <vector>

#include "fastvlm/image/decode.h"
#include "fastvlm/session/output_folder.h"
#include "fastvlm/text/prompt.h"

namespace fastvlm {

// A prompt with its picture, and the reply behind it.
struct AskedRows {
  std::vector<float> rows;  // [count, hidden_size], as the decoder is given them
  std::int64_t count = 0;
  std::int64_t first = 0;  // the row that chooses the first token of the reply; all from here on choose one
};

struct Asking {
  std::vector<Path> pictures;        // each is asked at least one question
  std::vector<std::string> prompts;  // used in turn
  std::int64_t reply_tokens = 16;    // at most
  ImageDecodeOptions decode;
};

// Rows of the longest sequence.
Result<std::int64_t> longest_sequence(const Asking& asking, const Tokenizer& tokenizer, std::int64_t image_tokens);

// Through the static graphs of fp16.
Result<std::vector<AskedRows>> ask_floats(const Asking& asking, const OutputFolder& folder, const OpenGraph& open);

}  // namespace fastvlm
