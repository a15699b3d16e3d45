#include "fastvlm/text/byte_pair_encoder.h"

#include <algorithm>
#include <array>
#include <bit>
#include <functional>

#include "fastvlm/base/assert.h"
#include "fastvlm/text/byte_alphabet.h"

namespace fastvlm {
namespace {

constexpr int kBytes = 256;
constexpr std::size_t kShortPiece = 48;  // up to here a scan for the smallest rank beats a heap

std::uint64_t pair_key(std::int32_t left, std::int32_t right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 | static_cast<std::uint32_t>(right);
}
std::size_t hash_pair(std::uint64_t pair) { return static_cast<std::size_t>(pair * 0x9E3779B97F4A7C15U >> 32); }

}  // namespace

Result<BytePairEncoder> BytePairEncoder::build(const TokenizerParts& parts, const Vocabulary& vocabulary, std::string_view what) {
  BytePairEncoder encoder;
  for (int byte = 0; byte < kBytes; ++byte) {
    const char character = static_cast<char>(byte);
    encoder.byte_ids_.push_back(vocabulary.find_bytes({&character, 1}));
  }
  std::vector<Merge> merges;
  merges.reserve(parts.merges.size());
  for (const auto& [left, right] : parts.merges) {
    const auto left_bytes = read_spelling(left);
    const auto right_bytes = read_spelling(right);
    if (!left_bytes || !right_bytes || left_bytes->empty() || right_bytes->empty())
      return bad_input("{}: the merge \"{} {}\" is not written in the byte alphabet", what, left, right);
    const std::int32_t left_id = vocabulary.find_bytes(*left_bytes);
    const std::int32_t right_id = vocabulary.find_bytes(*right_bytes);
    const std::int32_t id = vocabulary.find_bytes(*left_bytes + *right_bytes);
    if (left_id < 0 || right_id < 0 || id < 0)
      return bad_input("{}: the merge \"{} {}\" uses or makes a token that the vocabulary lacks", what, left, right);
    merges.push_back({pair_key(left_id, right_id), static_cast<std::uint32_t>(merges.size()), id});
  }
  encoder.index(merges);
  encoder.find_whole_tokens(vocabulary, parts.ignore_merges);
  return encoder;
}

void BytePairEncoder::index(const std::vector<Merge>& merges) {
  merges_.assign(std::bit_ceil(merges.size() * 2 + 2), Merge{});
  const std::size_t mask = merges_.size() - 1;
  for (const Merge& merge : merges) {
    std::size_t place = hash_pair(merge.pair) & mask;
    while (merges_[place].rank != kNoRank && merges_[place].pair != merge.pair) place = (place + 1) & mask;
    merges_[place] = merge;  // a pair that is listed twice has its last rank, as in Hugging Face tokenizers
  }
}

// Most pieces of real text are tokens, and finding them is much quicker than merging their bytes. That is right only for
// tokens that merging would make, so ask it once for each. Special tokens stay out: text must never turn into one here.
void BytePairEncoder::find_whole_tokens(const Vocabulary& vocabulary, bool ignore_merges) {
  is_whole_.assign(static_cast<std::size_t>(vocabulary.size()), false);
  Scratch scratch(0);
  std::vector<std::int32_t> ids;
  for (std::int32_t id = 0; id < vocabulary.size(); ++id) {
    const std::string_view bytes = vocabulary.bytes(id);
    if (bytes.empty() || vocabulary.is_special(id) || vocabulary.find_bytes(bytes) != id) continue;
    ids.clear();
    if (!ignore_merges) encode(vocabulary, bytes, scratch, ids);
    is_whole_[static_cast<std::size_t>(id)] = ignore_merges || (ids.size() == 1 && ids[0] == id);
  }
}

inline const BytePairEncoder::Merge& BytePairEncoder::find(std::int32_t left, std::int32_t right) const {
  const std::uint64_t pair = pair_key(left, right);
  const std::size_t mask = merges_.size() - 1;
  std::size_t place = hash_pair(pair) & mask;
  while (merges_[place].pair != pair && merges_[place].rank != kNoRank) place = (place + 1) & mask;
  return merges_[place];
}

void BytePairEncoder::encode(const Vocabulary& vocabulary, std::string_view piece, Scratch& scratch, std::vector<std::int32_t>& ids) const {
  const std::uint32_t hash = Vocabulary::hash(piece);
  const std::int32_t id = vocabulary.find_bytes(piece, hash);
  if (id >= 0 && is_whole_[static_cast<std::size_t>(id)]) {
    ids.push_back(id);
  } else if (piece.size() <= Scratch::Remembered::kMaxBytes && !scratch.remembered_.empty()) {
    encode_word(piece, hash, scratch, ids);
  } else if (piece.size() <= kShortPiece) {
    merge_short(piece, ids);
  } else {
    merge_long(piece, scratch, ids);
  }
}

void BytePairEncoder::encode_word(std::string_view piece, std::uint32_t hash, Scratch& scratch, std::vector<std::int32_t>& ids) const {
  Scratch::Remembered& entry = scratch.remembered_[hash & (scratch.remembered_.size() - 1)];
  if (std::string_view(entry.bytes.data(), entry.length) == piece) {
    ids.insert(ids.end(), entry.ids.begin(), entry.ids.begin() + entry.id_count);
    return;
  }
  const std::size_t before = ids.size();
  merge_short(piece, ids);
  const std::size_t count = ids.size() - before;
  if (count > Scratch::Remembered::kMaxIds) return;
  entry.length = static_cast<std::uint8_t>(piece.size());
  entry.id_count = static_cast<std::uint8_t>(count);
  std::copy(piece.begin(), piece.end(), entry.bytes.begin());
  std::copy(ids.end() - static_cast<std::ptrdiff_t>(count), ids.end(), entry.ids.begin());
}

void BytePairEncoder::merge_short(std::string_view piece, std::vector<std::int32_t>& ids) const {
  std::array<std::int32_t, kShortPiece> symbols;
  std::array<std::uint32_t, kShortPiece> ranks;  // of the pair (i, i + 1)
  std::array<std::int32_t, kShortPiece> merged_ids;
  std::size_t count = piece.size();
  const auto look_up = [&](std::size_t i) {
    const Merge& merge = find(symbols[i], symbols[i + 1]);
    ranks[i] = merge.rank;
    merged_ids[i] = merge.id;
  };
  for (std::size_t i = 0; i < count; ++i) symbols[i] = byte_ids_[static_cast<unsigned char>(piece[i])];
  for (std::size_t i = 0; i + 1 < count; ++i) look_up(i);
  while (count > 1) {
    const auto pairs_end = ranks.begin() + static_cast<std::ptrdiff_t>(count - 1);
    const auto best = std::min_element(ranks.begin(), pairs_end);
    if (*best == kNoRank) break;
    const auto i = static_cast<std::size_t>(best - ranks.begin());
    symbols[i] = merged_ids[i];
    --count;
    for (std::size_t k = i + 1; k < count; ++k) {
      symbols[k] = symbols[k + 1];
      ranks[k - 1] = ranks[k];
      merged_ids[k - 1] = merged_ids[k];
    }
    if (i + 1 < count) look_up(i);
    if (i > 0) look_up(i - 1);
  }
  ids.insert(ids.end(), symbols.begin(), symbols.begin() + static_cast<std::ptrdiff_t>(count));
}

// The symbols form a linked list; candidates wait in a heap and are dropped when one of their symbols has changed meanwhile.
void BytePairEncoder::merge_long(std::string_view piece, Scratch& scratch, std::vector<std::int32_t>& ids) const {
  FASTVLM_ASSERT(piece.size() < INT32_MAX, "Tokenizer::encode limits the text");
  auto& symbols = scratch.symbols_;
  auto& heap = scratch.heap_;
  symbols.clear();
  heap.clear();
  const auto count = static_cast<std::int32_t>(piece.size());
  const auto at = [&](std::int32_t i) -> Scratch::Symbol& { return symbols[static_cast<std::size_t>(i)]; };
  const auto propose = [&](std::int32_t i) {
    const std::int32_t next = i < 0 ? -1 : at(i).next;
    if (next < 0) return;
    const Merge& merge = find(at(i).id, at(next).id);
    if (merge.rank == kNoRank) return;
    heap.push_back({merge.rank, i, at(i).id, at(next).id});
    std::push_heap(heap.begin(), heap.end(), std::greater<>());
  };
  for (std::int32_t i = 0; i < count; ++i) {
    const auto byte = static_cast<unsigned char>(piece[static_cast<std::size_t>(i)]);
    symbols.push_back({byte_ids_[byte], i - 1, i + 1 < count ? i + 1 : -1});
  }
  for (std::int32_t i = 0; i + 1 < count; ++i) propose(i);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    const Scratch::Candidate candidate = heap.back();
    heap.pop_back();
    Scratch::Symbol& left = at(candidate.position);
    if (left.id != candidate.left || left.next < 0 || at(left.next).id != candidate.right) continue;
    Scratch::Symbol& right = at(left.next);
    left.id = find(candidate.left, candidate.right).id;
    right.id = -1;  // no candidate matches it any more
    left.next = right.next;
    if (left.next >= 0) at(left.next).previous = candidate.position;
    propose(candidate.position);
    propose(left.previous);
  }
  for (std::int32_t i = 0; i >= 0; i = at(i).next) ids.push_back(at(i).id);
}

}  // namespace fastvlm
