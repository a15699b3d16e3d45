// Questions about pictures, and what the float model answers: the sequences along which other weights are compared with it.
#pragma once

#include <string>
#include <vector>

#include "fastvlm/base/progress.h"
#include "fastvlm/image/decode.h"
#include "fastvlm/session/output_folder.h"
#include "fastvlm/text/prompt.h"

namespace fastvlm {

// A prompt with its picture, and the reply behind it.
struct AskedRows {
  std::vector<float> rows;  // [count, hidden_size], as the decoder is given them
  std::int64_t count = 0;
  std::int64_t first = 0;  // the row that chooses the first token of the reply; all from here on choose one
  std::size_t picture = 0;
  std::int64_t image_row = 0;  // where its vectors begin
};

struct Asked {
  std::vector<AskedRows> sequences;
  std::vector<std::vector<float>> pixels;  // of each picture, as the tower takes them; where they are asked for
};

struct Asking {
  std::vector<Path> pictures;        // each is asked at least one question
  std::vector<std::string> prompts;  // used in turn
  std::int64_t reply_tokens = 16;    // at most
  ImageDecodeOptions decode;
  bool keep_pixels = false;
};

// Rows of the longest sequence.
Result<std::int64_t> longest_sequence(const Asking& asking, const Tokenizer& tokenizer, std::int64_t image_tokens);

// Through the static graphs of fp16.
Result<Asked> ask_floats(const Asking& asking, const OutputFolder& folder, const OpenGraph& open, Progress& progress);

}  // namespace fastvlm
