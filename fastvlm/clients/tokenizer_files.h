// The tokenizer as programs want it that put the picture in at the place of a token.
#pragma once

#include <cstdint>
#include <string>

#include "fastvlm/export/export.h"

namespace fastvlm::clients {

inline constexpr const char* kImageToken = "<image>";

struct TokenizerFiles {
  std::string tokenizer_json;         // "<image>" is an added token
  std::string tokenizer_config_json;  // with the chat template of the training
  std::int64_t image_token_id = 0;
  std::int64_t pad_token_id = 0;
};

// "<image>" keeps the id that the tokenizer has for it, or else gets the next free one; an Error when the embedding table has no row
// for it, or the export has no tokenizer.
Result<TokenizerFiles> tokenizer_files(const PreparedExport& prepared);

}  // namespace fastvlm::clients
