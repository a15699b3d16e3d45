// Byte-pair encoding of one piece: the pair with the smallest rank is merged first, the leftmost of equals, until no pair
// of neighbours is in the merge table.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "fastvlm/base/result.h"
#include "fastvlm/text/tokenizer_parts.h"
#include "fastvlm/text/vocabulary.h"

namespace fastvlm {

class BytePairEncoder {
 public:
  // Memory that calls reuse. One per thread.
  class Scratch;

  static Result<BytePairEncoder> build(const TokenizerParts& parts, const Vocabulary& vocabulary, std::string_view what);

  // Appends the ids of `piece`. `vocabulary` is the one it was built with. O(n log n) in the length of the piece.
  void encode(const Vocabulary& vocabulary, std::string_view piece, Scratch& scratch, std::vector<std::int32_t>& ids) const;

 private:
  static constexpr std::uint32_t kNoRank = 0xFFFFFFFF;
  struct Merge {
    std::uint64_t pair = ~std::uint64_t{0};
    std::uint32_t rank = kNoRank;
    std::int32_t id = -1;
  };

  const Merge& find(std::int32_t left, std::int32_t right) const;
  void index(const std::vector<Merge>& merges);
  void find_whole_tokens(const Vocabulary& vocabulary, bool ignore_merges);
  void encode_word(std::string_view piece, std::uint32_t hash, Scratch& scratch, std::vector<std::int32_t>& ids) const;
  void merge_short(std::string_view piece, std::vector<std::int32_t>& ids) const;
  void merge_long(std::string_view piece, Scratch& scratch, std::vector<std::int32_t>& ids) const;

  std::vector<std::int32_t> byte_ids_;
  std::vector<Merge> merges_;   // open addressing; a power of two
  std::vector<bool> is_whole_;  // by id: merging the token's bytes gives the token itself
};

class BytePairEncoder::Scratch {
 public:
  // Remembers words when the text that is to come is long enough to pay for the table.
  explicit Scratch(std::size_t text_size) : remembered_(text_size < kWorthRemembering ? 0 : kRememberedPieces) {}

 private:
  friend class BytePairEncoder;
  static constexpr std::size_t kWorthRemembering = 16384;
  static constexpr std::size_t kRememberedPieces = 4096;
  struct Symbol {
    std::int32_t id;
    std::int32_t previous;
    std::int32_t next;
  };
  struct Candidate {
    std::uint32_t rank;
    std::int32_t position;
    std::int32_t left;
    std::int32_t right;
    bool operator>(const Candidate& other) const { return rank != other.rank ? rank > other.rank : position > other.position; }
  };
  // Words come again: the ids of short pieces that are not tokens themselves, one piece for each place of the table.
  struct Remembered {
    static constexpr std::size_t kMaxBytes = 19;
    static constexpr std::size_t kMaxIds = 10;
    std::uint8_t length = 0;
    std::uint8_t id_count = 0;
    std::array<char, kMaxBytes> bytes;
    std::array<std::int32_t, kMaxIds> ids;
  };
  std::vector<Symbol> symbols_;
  std::vector<Candidate> heap_;
  std::vector<Remembered> remembered_;  // empty, or a power of two
};

}  // namespace fastvlm
