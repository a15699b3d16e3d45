// The Qwen2 tokenizer: byte-level BPE with NFC and added tokens. Gives the ids of Hugging Face `tokenizers`.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/base/result.h"
#include "fastvlm/text/added_tokens.h"
#include "fastvlm/text/byte_pair_encoder.h"
#include "fastvlm/text/tokenizer_parts.h"
#include "fastvlm/text/vocabulary.h"

namespace fastvlm {

// Which added tokens are looked for in a text.
enum class AddedTokens : std::uint8_t {
  kAll,
  kOrdinary,  // for text of users: words that a fine-tune added, but nothing that steers a conversation ("<|im_end|>", "<image>")
  kNone,
};
struct EncodeOptions {
  AddedTokens added_tokens = AddedTokens::kAll;
};
struct DecodeOptions {
  bool skip_special = false;
};

class Tokenizer {
 public:
  // From the tokenizer files of a folder: tokenizer.json, or else vocab.json and merges.txt with the added tokens of
  // added_tokens.json and tokenizer_config.json. Other files of the folder are not touched.
  static Result<Tokenizer> load(const Path& folder);
  // From the text of a tokenizer.json. `what` names it in errors.
  static Result<Tokenizer> from_json(std::string_view text, std::string_view what);
  // From the text of the slow files.
  static Result<Tokenizer> from_slow_files(const SlowTokenizerFiles& files, std::string_view what);

  // The ids of a text of less than 2 GiB. Nothing is added in front or behind. Ill-formed UTF-8 is read as U+FFFD, one per
  // maximal subpart. Safe from several threads.
  std::vector<std::int32_t> encode(std::string_view text, EncodeOptions options = {}) const;

  // The text of `ids`: well-formed UTF-8, with U+FFFD for bytes that are not. Ids without a token count as empty.
  // decode(encode(text)) is the NFC of `text`.
  std::string decode(std::span<const std::int32_t> ids, DecodeOptions options = {}) const;

  // The bytes of one token, which need not be whole characters; empty for an id without a token.
  std::string_view token_bytes(std::int32_t id) const { return vocabulary_.bytes(id); }
  // The token as vocabulary files spell it: "Ġworld"; always well-formed UTF-8.
  std::string token_text(std::int32_t id) const { return vocabulary_.spelling(id); }
  // The id of a token spelled like that.
  std::optional<std::int32_t> token_id(std::string_view spelling) const { return vocabulary_.find_spelling(spelling); }
  bool is_token(std::int32_t id) const { return vocabulary_.contains(id); }
  bool is_special(std::int32_t id) const { return vocabulary_.is_special(id); }

  // What is wrong when an embedding table of `rows` rows lacks one for a token; nothing when all have one.
  std::optional<std::string> without_row(std::int64_t rows) const;

  // Highest id + 1. Rows of the embedding table at and beyond it have no token and must not be sampled.
  std::int32_t size() const { return vocabulary_.size(); }

 private:
  // `merges`: the file in which they stand, for messages.
  static Result<Tokenizer> build(const TokenizerParts& parts, std::string_view what, std::string_view merges);

  struct Work;
  void encode_raw(std::string_view text, Work& work) const;
  void encode_normalized(std::string_view text, Work& work) const;
  void encode_pieces(std::string_view text, Work& work) const;

  Vocabulary vocabulary_;
  BytePairEncoder encoder_;
  struct Matchers {
    AddedTokenMatcher raw;
    AddedTokenMatcher normalized;
  };
  const Matchers* matchers(AddedTokens which) const;
  Matchers all_tokens_, ordinary_tokens_;
  bool normalize_ = true;
};

}  // namespace fastvlm
