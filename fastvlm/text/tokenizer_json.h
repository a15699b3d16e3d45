// tokenizer.json for programs that read nothing else.
#pragma once

#include <string>

#include "fastvlm/base/files.h"
#include "fastvlm/base/result.h"
#include "fastvlm/text/tokenizer.h"

namespace fastvlm {

struct BuiltTokenizer {
  std::string json;
  Tokenizer tokenizer;
};

// The text of a tokenizer.json for the tokenizer of `folder`, and the tokenizer that it makes: the folder's own file byte for byte, or one
// built from vocab.json, merges.txt and the added tokens. Either way it has been loaded once, so it is known to be good. The same files
// give the same bytes. Hugging Face `tokenizers` gives the same ids with it.
Result<BuiltTokenizer> build_tokenizer_json(const Path& folder);

}  // namespace fastvlm
