// Byte-pair encoding of one piece: the pair with the smallest rank is merged first, the leftmost of equals, until no pair
// of neighbours is in the merge table.
#pragma once

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
  void merge_short(std::string_view piece, std::vector<std::int32_t>& ids) const;
  void merge_long(std::string_view piece, Scratch& scratch, std::vector<std::int32_t>& ids) const;

  std::vector<std::int32_t> byte_ids_;
  std::vector<Merge> merges_;   // open addressing; a power of two
  std::vector<bool> is_whole_;  // by id: merging the token's bytes gives the token itself
};

class BytePairEncoder::Scratch {
 private:
  friend class BytePairEncoder;
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
    bool operator>(const Candidate& other) const {
      return rank != other.rank ? rank > other.rank : position > other.position;
    }
  };
  std::vector<Symbol> symbols_;
  std::vector<Candidate> heap_;
};

}  // namespace fastvlm
