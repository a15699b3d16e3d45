// The tokenizer as programs want it that put the picture in at the place of a token.
#pragma once

#include <cstdint>
#include <string>

#include "fastvlm/author/cached_graphs.h"
#include "fastvlm/export/export.h"

namespace fastvlm::clients {

inline constexpr const char* kImageToken = "<image>";

struct TokenizerFiles {
  std::string tokenizer_json;         // "<image>" is an added token
  std::string tokenizer_config_json;  // with the chat template of the training
  std::int64_t image_token_id = 0;
  std::int64_t pad_token_id = 0;
};

// What they are made of, and what they have to fit.
struct TokenizerSource {
  std::string folder;  // for messages
  std::string tokenizer_json;
  std::string tokenizer_config_json;  // empty: there is none
  std::int64_t vocab_size = 0;
  std::vector<std::int64_t> eos_token_ids;
};

// "<image>" keeps the id that the tokenizer has for it, or else gets the next free one; an Error when the embedding table has no row
// for it, or the export has no tokenizer.
Result<TokenizerFiles> tokenizer_files(const PreparedExport& prepared);
Result<TokenizerFiles> tokenizer_files(const TokenizerSource& source);

// The words by which onnxruntime-genai marks a picture; the middle one stands for each image token.
inline constexpr const char* kPictureMarks[] = {"<|vision_start|>", "<|image_pad|>", "<|vision_end|>"};

struct MarkedTokenizer {
  std::string tokenizer_json;         // the three are added tokens
  std::string tokenizer_config_json;  // with a chat template that writes them
  PictureTokens tokens;
  std::int64_t pad_token_id = 0;
};

// The same for that client. Also an Error when the tokenizer has no token for a line feed.
Result<MarkedTokenizer> marked_tokenizer(const PreparedExport& prepared);

}  // namespace fastvlm::clients
