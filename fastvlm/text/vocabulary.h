// Tokens by id and by bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fastvlm/base/result.h"
#include "fastvlm/text/tokenizer_parts.h"

namespace fastvlm {

class Vocabulary {
 public:
  // Checks that ids are unique, that all 256 bytes have a token, and that added tokens agree with the vocabulary.
  static Result<Vocabulary> build(const TokenizerParts& parts, std::string_view what);

  std::int32_t size() const { return static_cast<std::int32_t>(tokens_.size()); }  // highest id + 1
  bool contains(std::int32_t id) const;
  bool is_special(std::int32_t id) const;
  // What the token decodes to; empty for an id without a token.
  std::string_view bytes(std::int32_t id) const;
  // As the vocabulary file writes it; the plain text of an added token.
  std::string spelling(std::int32_t id) const;

  // The hash that find_bytes() takes; also fit for other tables of pieces.
  static std::uint32_t hash(std::string_view bytes);
  // The base token with these bytes, or -1.
  std::int32_t find_bytes(std::string_view bytes, std::uint32_t hash) const;
  std::int32_t find_bytes(std::string_view bytes) const { return find_bytes(bytes, hash(bytes)); }
  // The added token with this content, or the base token with this spelling.
  std::optional<std::int32_t> find_spelling(std::string_view spelling) const;

 private:
  enum class Kind : std::uint8_t { kNone, kBase, kLiteral, kAdded, kSpecial };
  struct Token {
    std::uint32_t begin = 0;
    std::uint32_t length = 0;
    Kind kind = Kind::kNone;
  };
  // The place of the bytes stands here once more: one cache miss less for each piece of text.
  struct Slot {
    std::uint32_t hash = 0;
    std::int32_t id = -1;
    std::uint32_t begin = 0;
    std::uint32_t length = 0;
  };

  Status add_base(const TokenizerParts& parts, std::string_view what);
  Status add_added(const TokenizerParts& parts, std::string_view what);
  void set(std::int32_t id, std::string_view bytes, Kind kind);
  void index(const std::vector<std::int32_t>& ids);

  std::vector<Token> tokens_;
  std::string bytes_;
  std::vector<Slot> slots_;              // open addressing over the base tokens; a power of two
  std::vector<std::int32_t> added_ids_;  // sorted by content
};

}  // namespace fastvlm
