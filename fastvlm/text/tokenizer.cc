#include "fastvlm/text/tokenizer.h"

#include "fastvlm/base/assert.h"
#include "fastvlm/base/try.h"
#include "fastvlm/text/pretokenizer.h"
#include "fastvlm/text/unicode.h"
#include "fastvlm/text/utf8.h"

namespace fastvlm {

struct Tokenizer::Work {
  std::vector<std::int32_t> ids;
  bool match_added_tokens = true;
  BytePairEncoder::Scratch scratch;
  std::string normalized;
};

Result<Tokenizer> Tokenizer::load(const Path& folder) {
  const Path json = folder / "tokenizer.json";
  std::error_code ignored;
  if (std::filesystem::exists(json, ignored)) {
    TRY_ASSIGN(const std::string text, read_file(json, kMaxTokenizerFileBytes));
    return from_json(text, json.string());
  }
  TRY_ASSIGN(const SlowTokenizerFiles files, read_slow_tokenizer_files(folder));
  return from_slow_files(files, folder.string());
}

Result<Tokenizer> Tokenizer::from_json(std::string_view text, std::string_view what) {
  TRY_ASSIGN(const TokenizerParts parts, parse_tokenizer_json(text, what));
  return build(parts, what);
}

Result<Tokenizer> Tokenizer::from_slow_files(const SlowTokenizerFiles& files, std::string_view what) {
  TRY_ASSIGN(const TokenizerParts parts, parse_slow_tokenizer(files, what));
  return build(parts, what);
}

Result<Tokenizer> Tokenizer::build(const TokenizerParts& parts, std::string_view what) {
  Tokenizer tokenizer;
  TRY_ASSIGN(tokenizer.vocabulary_, Vocabulary::build(parts, what));
  TRY_ASSIGN(tokenizer.encoder_, BytePairEncoder::build(parts, tokenizer.vocabulary_, what));
  tokenizer.normalize_ = parts.normalize;
  for (const AddedToken& token : parts.added_tokens) {
    std::string buffer;
    if (!token.normalized) {
      tokenizer.raw_tokens_.add(token.content, token.id);
    } else if (parts.normalize) {
      tokenizer.normalized_tokens_.add(to_nfc(token.content, buffer), token.id);
    } else {
      tokenizer.normalized_tokens_.add(token.content, token.id);
    }
  }
  return tokenizer;
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  FASTVLM_ASSERT(text.size() < INT32_MAX, "a text of at most 2 GiB");
  std::string repaired;
  if (valid_utf8_prefix(text) != text.size()) {
    repaired = to_valid_utf8(text);
    text = repaired;
  }
  Work work{{}, options.match_added_tokens, BytePairEncoder::Scratch(text.size()), {}};
  work.ids.reserve(text.size() / 4 + 16);
  encode_raw(text, work);
  return std::move(work.ids);
}

void Tokenizer::encode_raw(std::string_view text, Work& work) const {
  if (!work.match_added_tokens || raw_tokens_.empty()) return encode_normalized(text, work);
  for (std::size_t at = 0; at < text.size();) {
    const AddedTokenMatcher::Match match = raw_tokens_.find(text, at);
    encode_normalized(text.substr(at, match.begin - at), work);
    if (match.id >= 0) work.ids.push_back(match.id);
    at = match.begin + match.length;
  }
}

void Tokenizer::encode_normalized(std::string_view text, Work& work) const {
  if (normalize_) text = to_nfc(text, work.normalized);
  if (!work.match_added_tokens || normalized_tokens_.empty()) return encode_pieces(text, work);
  for (std::size_t at = 0; at < text.size();) {
    const AddedTokenMatcher::Match match = normalized_tokens_.find(text, at);
    encode_pieces(text.substr(at, match.begin - at), work);
    if (match.id >= 0) work.ids.push_back(match.id);
    at = match.begin + match.length;
  }
}

void Tokenizer::encode_pieces(std::string_view text, Work& work) const {
  PieceScanner scanner(text);
  for (std::string_view piece = scanner.next(); !piece.empty(); piece = scanner.next())
    encoder_.encode(vocabulary_, piece, work.scratch, work.ids);
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, DecodeOptions options) const {
  std::string bytes;
  for (const std::int32_t id : ids) {
    if (!options.skip_special || !vocabulary_.is_special(id)) bytes.append(vocabulary_.bytes(id));
  }
  return to_valid_utf8(bytes);
}

}  // namespace fastvlm
