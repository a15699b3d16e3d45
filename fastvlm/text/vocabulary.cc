#include "fastvlm/text/vocabulary.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "fastvlm/base/try.h"
#include "fastvlm/text/byte_alphabet.h"

namespace fastvlm {
namespace {

constexpr int kBytes = 256;

std::uint64_t mix(std::uint64_t hash, std::uint64_t word) {
  hash = (hash ^ word) * 0x9E3779B97F4A7C15U;
  return hash ^ hash >> 32;
}

}  // namespace

std::uint32_t Vocabulary::hash(std::string_view bytes) {
  std::uint64_t state = bytes.size();
  while (bytes.size() >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), 8);
    state = mix(state, word);
    bytes.remove_prefix(8);
  }
  std::uint64_t tail = 0;
  for (const char byte : bytes) tail = tail << 8 | static_cast<unsigned char>(byte);
  return static_cast<std::uint32_t>(mix(mix(state, tail), 0));
}

Result<Vocabulary> Vocabulary::build(const TokenizerParts& parts, std::string_view what) {
  Vocabulary vocabulary;
  TRY(vocabulary.add_base(parts, what));
  TRY(vocabulary.add_added(parts, what));
  return vocabulary;
}

Status Vocabulary::add_base(const TokenizerParts& parts, std::string_view what) {
  std::vector<std::int32_t> indexed;
  indexed.reserve(parts.vocabulary.size());
  for (const VocabularyEntry& entry : parts.vocabulary) {
    if (contains(entry.id)) return bad_input("{}: the id {} belongs to two tokens of the vocabulary", what, entry.id);
    if (const auto bytes = read_spelling(entry.spelling)) {
      set(entry.id, *bytes, Kind::kBase);
      if (!bytes->empty()) indexed.push_back(entry.id);
    } else {
      set(entry.id, entry.spelling, Kind::kLiteral);
    }
  }
  index(indexed);
  for (int byte = 0; byte < kBytes; ++byte) {
    const char character = static_cast<char>(byte);
    if (find_bytes({&character, 1}) < 0)
      return bad_input("{}: the vocabulary has no token for the byte 0x{:02X}; a byte-level vocabulary has all 256", what, byte);
  }
  return {};
}

Status Vocabulary::add_added(const TokenizerParts& parts, std::string_view what) {
  for (const AddedToken& token : parts.added_tokens) {
    // A token may stand in the vocabulary and in the list of added tokens, but then as the same token.
    if (contains(token.id) && spelling(token.id) != token.content)
      return bad_input("{}: the added token \"{}\" has the id {} of the token \"{}\"", what, token.content, token.id, spelling(token.id));
    if (const auto other = find_spelling(token.content); other && *other != token.id)
      return bad_input("{}: the added token \"{}\" has the ids {} and {}", what, token.content, *other, token.id);
    set(token.id, token.content, token.special ? Kind::kSpecial : Kind::kAdded);
    const auto place = std::lower_bound(added_ids_.begin(), added_ids_.end(), std::string_view(token.content),
                                        [&](std::int32_t id, std::string_view content) { return bytes(id) < content; });
    added_ids_.insert(place, token.id);
  }
  return {};
}

void Vocabulary::set(std::int32_t id, std::string_view bytes, Kind kind) {
  const auto place = static_cast<std::size_t>(id);
  if (place >= tokens_.size()) tokens_.resize(place + 1);
  tokens_[place] = {static_cast<std::uint32_t>(bytes_.size()), static_cast<std::uint32_t>(bytes.size()), kind};
  bytes_.append(bytes);
}

void Vocabulary::index(const std::vector<std::int32_t>& ids) {
  slots_.assign(std::bit_ceil(ids.size() * 2 + 2), Slot{});
  const std::size_t mask = slots_.size() - 1;
  for (const std::int32_t id : ids) {
    const Token& token = tokens_[static_cast<std::size_t>(id)];
    const std::uint32_t token_hash = hash(bytes(id));
    std::size_t place = token_hash & mask;
    while (slots_[place].id >= 0) place = (place + 1) & mask;
    slots_[place] = {token_hash, id, token.begin, token.length};
  }
}

std::int32_t Vocabulary::find_bytes(std::string_view bytes, std::uint32_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t place = hash & mask; slots_[place].id >= 0; place = (place + 1) & mask) {
    const Slot& slot = slots_[place];
    if (slot.hash == hash && slot.length == bytes.size() && std::memcmp(bytes_.data() + slot.begin, bytes.data(), bytes.size()) == 0)
      return slot.id;
  }
  return -1;
}

std::optional<std::int32_t> Vocabulary::find_spelling(std::string_view wanted) const {
  const auto added = std::lower_bound(added_ids_.begin(), added_ids_.end(), wanted,
                                      [&](std::int32_t id, std::string_view content) { return bytes(id) < content; });
  if (added != added_ids_.end() && bytes(*added) == wanted) return *added;
  const auto wanted_bytes = read_spelling(wanted);
  if (!wanted_bytes || wanted_bytes->empty()) return std::nullopt;
  const std::int32_t id = find_bytes(*wanted_bytes);
  return id < 0 ? std::nullopt : std::optional(id);
}

bool Vocabulary::contains(std::int32_t id) const {
  return id >= 0 && id < size() && tokens_[static_cast<std::size_t>(id)].kind != Kind::kNone;
}

bool Vocabulary::is_special(std::int32_t id) const { return contains(id) && tokens_[static_cast<std::size_t>(id)].kind == Kind::kSpecial; }

std::string_view Vocabulary::bytes(std::int32_t id) const {
  if (!contains(id)) return {};
  const Token& token = tokens_[static_cast<std::size_t>(id)];
  return std::string_view(bytes_).substr(token.begin, token.length);
}

std::string Vocabulary::spelling(std::int32_t id) const {
  if (!contains(id)) return {};
  const bool base = tokens_[static_cast<std::size_t>(id)].kind == Kind::kBase;
  return base ? spell_bytes(bytes(id)) : std::string(bytes(id));
}

}  // namespace fastvlm
