// The text files of a made checkpoint: a byte-level BPE vocabulary that is synthetic but valid, and the tokenizer's configs.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "fastvlm/synthetic/layout.h"

namespace fastvlm {

// Tokens in the GPT-2 alphabet (each byte stands as one printable character). The id of a token is its index.
struct MadeVocabulary {
  std::vector<std::string> tokens;                          // 256 byte symbols, then the result of each merge
  std::vector<std::pair<std::size_t, std::size_t>> merges;  // indices of two earlier tokens; merge i makes token 256 + i
};

// Merges learnt from a few English sentences first, then pieces in a fixed order: whole characters of two and three UTF-8
// bytes, then lower-case letters. No two tokens are equal. `size` is at least 256 and at most 300000.
MadeVocabulary make_vocabulary(std::size_t size);

struct MadeSpecialToken {
  std::string text;
  bool special = true;  // false: not skipped when answers are turned into text
};
// The added tokens; the first one has the id `base_tokens`.
std::vector<MadeSpecialToken> made_special_tokens(CheckpointSize size, CheckpointDialect dialect);

struct MadeTextFile {
  std::string name;
  std::string text;
};
// Everything of a checkpoint but config.json and the tensors. Apple: the files of the slow tokenizer and
// generation_config.json; hf: tokenizer.json, tokenizer_config.json and preprocessor_config.json.
std::vector<MadeTextFile> checkpoint_text_files(CheckpointSize size, CheckpointDialect dialect);

}  // namespace fastvlm
