#include "fastvlm/text/tokenizer.h"

#include "fastvlm/base/assert.h"
#include "fastvlm/base/try.h"
#include "fastvlm/text/pretokenizer.h"
#include "fastvlm/text/unicode.h"
#include "fastvlm/text/utf8.h"

namespace fastvlm {

struct Tokenizer::Work {
  std::vector<std::int32_t> ids;
  const Matchers* added = nullptr;  // nullptr: no added tokens
  BytePairEncoder::Scratch scratch;
  std::string normalized;
};

namespace {

// Tokens that no text of a user may turn into, whatever the files say about them: the special ones, whatever is spelled like
// one of Qwen's, and the place of a picture.
bool steers(const AddedToken& token) {
  const std::string_view content = token.content;
  return token.special || (content.starts_with("<|") && content.ends_with("|>")) || content == "<image>";
}

}  // namespace

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
  return build(parts, what, what);
}

Result<Tokenizer> Tokenizer::from_slow_files(const SlowTokenizerFiles& files, std::string_view what) {
  TRY_ASSIGN(const TokenizerParts parts, parse_slow_tokenizer(files, what));
  return build(parts, what, (Path(what) / "merges.txt").string());
}

Result<Tokenizer> Tokenizer::build(const TokenizerParts& parts, std::string_view what, std::string_view merges) {
  Tokenizer tokenizer;
  TRY_ASSIGN(tokenizer.vocabulary_, Vocabulary::build(parts, what));
  TRY_ASSIGN(tokenizer.encoder_, BytePairEncoder::build(parts, tokenizer.vocabulary_, merges));
  tokenizer.normalize_ = parts.normalize;
  for (const AddedToken& token : parts.added_tokens) {
    std::string buffer;
    const std::string_view content = token.normalized && parts.normalize ? to_nfc(token.content, buffer) : std::string_view(token.content);
    for (Matchers* matchers : {&tokenizer.all_tokens_, &tokenizer.ordinary_tokens_}) {
      if (matchers == &tokenizer.ordinary_tokens_ && steers(token)) continue;
      (token.normalized ? matchers->normalized : matchers->raw).add(content, token.id);
    }
  }
  return tokenizer;
}

const Tokenizer::Matchers* Tokenizer::matchers(AddedTokens which) const {
  if (which == AddedTokens::kNone) return nullptr;
  return which == AddedTokens::kAll ? &all_tokens_ : &ordinary_tokens_;
}

std::optional<std::string> Tokenizer::without_row(std::int64_t rows) const {
  if (size() <= rows) return std::nullopt;
  return fmt::format(
      "the token \"{}\" has the id {}, but the embedding table has {} rows; resize the table or take the tokenizer of this model",
      token_text(size() - 1), size() - 1, rows);
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  FASTVLM_ASSERT(text.size() < INT32_MAX, "a text of at most 2 GiB");
  std::string repaired;
  if (valid_utf8_prefix(text) != text.size()) {
    repaired = to_valid_utf8(text);
    text = repaired;
  }
  Work work{{}, matchers(options.added_tokens), BytePairEncoder::Scratch(text.size()), {}};
  work.ids.reserve(text.size() / 4 + 16);
  encode_raw(text, work);
  return std::move(work.ids);
}

void Tokenizer::encode_raw(std::string_view text, Work& work) const {
  if (work.added == nullptr || work.added->raw.empty()) return encode_normalized(text, work);
  for (std::size_t at = 0; at < text.size();) {
    const AddedTokenMatcher::Match match = work.added->raw.find(text, at);
    encode_normalized(text.substr(at, match.begin - at), work);
    if (match.id >= 0) work.ids.push_back(match.id);
    at = match.begin + match.length;
  }
}

void Tokenizer::encode_normalized(std::string_view text, Work& work) const {
  if (normalize_) text = to_nfc(text, work.normalized);
  if (work.added == nullptr || work.added->normalized.empty()) return encode_pieces(text, work);
  for (std::size_t at = 0; at < text.size();) {
    const AddedTokenMatcher::Match match = work.added->normalized.find(text, at);
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
