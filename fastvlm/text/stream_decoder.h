// Text from ids that come one by one.
#pragma once

#include <cstdint>
#include <string>

#include "fastvlm/text/tokenizer.h"

namespace fastvlm {

// Holds back the bytes of an unfinished character. All texts of push() and finish() together are decode() of all ids.
class StreamDecoder {
 public:
  // `tokenizer` must outlive the decoder.
  explicit StreamDecoder(const Tokenizer& tokenizer, DecodeOptions options = {}) : tokenizer_(&tokenizer), options_(options) {}

  // The text that has become certain with this id; often empty in the middle of a character.
  std::string push(std::int32_t id);
  // What is left: U+FFFD when the ids end inside a character, else nothing. The decoder can be used again.
  std::string finish();

 private:
  const Tokenizer* tokenizer_;
  DecodeOptions options_;
  std::string pending_;  // at most three bytes: the start of a character
};

}  // namespace fastvlm
