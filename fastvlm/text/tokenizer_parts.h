// What the files of a tokenizer say, before anything is built from it. One struct for both families of files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/base/result.h"

namespace fastvlm {

// Limits for hostile files. The largest known vocabulary of the family has 152,064 rows.
inline constexpr std::int64_t kMaxTokenId = (std::int64_t{1} << 20) - 1;
inline constexpr std::size_t kMaxAddedTokens = 1 << 14;
inline constexpr std::size_t kMaxAddedTokenBytes = 1024;
inline constexpr std::size_t kMaxTokenizerFileBytes = std::size_t{64} << 20;

struct VocabularyEntry {
  std::string spelling;  // in the byte alphabet
  std::int32_t id = 0;
};

struct AddedToken {
  std::string content;  // plain text
  std::int32_t id = 0;
  bool special = false;     // left out by decode(…, {.skip_special = true})
  bool normalized = false;  // matched after NFC instead of on the raw text
};

struct TokenizerParts {
  std::vector<VocabularyEntry> vocabulary;                  // ascending by id
  std::vector<std::pair<std::string, std::string>> merges;  // spellings, most important first
  std::vector<AddedToken> added_tokens;                     // ascending by id
  bool normalize = true;                                    // NFC
  bool ignore_merges = false;                               // a piece that is a token is never split
};

// The text of the files of a slow tokenizer; the optional ones are empty when absent.
struct SlowTokenizerFiles {
  std::string vocab_json;
  std::string merges_txt;
  std::string added_tokens_json;        // optional
  std::string tokenizer_config_json;    // optional; added_tokens_decoder and the names of special tokens
  std::string special_tokens_map_json;  // optional
};

// Reads tokenizer.json. Refuses every normalizer, pre-tokenizer, decoder and model other than Qwen2's, naming what it found.
Result<TokenizerParts> parse_tokenizer_json(std::string_view text, std::string_view what);

// Reads the slow files. `what` is the folder, for messages.
Result<TokenizerParts> parse_slow_tokenizer(const SlowTokenizerFiles& files, std::string_view what);

// Loads the slow files of a folder; vocab.json and merges.txt must exist.
Result<SlowTokenizerFiles> read_slow_tokenizer_files(const Path& folder);

}  // namespace fastvlm
