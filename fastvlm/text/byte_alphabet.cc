#include "fastvlm/text/byte_alphabet.h"

#include <array>

#include "fastvlm/text/utf8.h"

namespace fastvlm {
namespace {

constexpr int kBytes = 256;
constexpr int kAlphabetEnd = 324;  // 256 + the 68 bytes that do not spell themselves

constexpr bool spells_itself(int byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
}

struct Alphabet {
  std::array<char32_t, kBytes> character{};
  std::array<int, kAlphabetEnd> byte{};
};

constexpr Alphabet make_alphabet() {
  Alphabet alphabet;
  alphabet.byte.fill(-1);
  char32_t next_free = kBytes;
  for (int byte = 0; byte < kBytes; ++byte) {
    const char32_t character = spells_itself(byte) ? static_cast<char32_t>(byte) : next_free++;
    alphabet.character[static_cast<std::size_t>(byte)] = character;
    alphabet.byte[character] = byte;
  }
  return alphabet;
}

constexpr Alphabet kAlphabet = make_alphabet();

}  // namespace

std::string spell_bytes(std::string_view bytes) {
  std::string spelling;
  spelling.reserve(bytes.size() * 2);
  for (const char byte : bytes) append_utf8(spelling, kAlphabet.character[static_cast<unsigned char>(byte)]);
  return spelling;
}

std::optional<std::string> read_spelling(std::string_view spelling) {
  std::string bytes;
  bytes.reserve(spelling.size());
  for (std::size_t at = 0; at < spelling.size();) {
    const Utf8Step step = read_utf8(spelling, at);
    if (step.status != Utf8Status::kGood || step.code_point >= kAlphabetEnd) return std::nullopt;
    const int byte = kAlphabet.byte[step.code_point];
    if (byte < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(byte));
    at += step.length;
  }
  return bytes;
}

}  // namespace fastvlm
