#include "fastvlm/text/utf8.h"

#include <cstdint>
#include <cstring>

namespace fastvlm {
namespace {

// What may follow a lead byte: how many bytes, and the range of the first of them (the others are 80..BF).
struct Lead {
  int continuation_bytes;
  unsigned char first_low;
  unsigned char first_high;
};

constexpr Lead lead_of(unsigned char byte) {
  if (byte >= 0xC2 && byte <= 0xDF) return {1, 0x80, 0xBF};
  if (byte == 0xE0) return {2, 0xA0, 0xBF};
  if (byte == 0xED) return {2, 0x80, 0x9F};
  if (byte >= 0xE1 && byte <= 0xEF) return {2, 0x80, 0xBF};
  if (byte == 0xF0) return {3, 0x90, 0xBF};
  if (byte >= 0xF1 && byte <= 0xF3) return {3, 0x80, 0xBF};
  if (byte == 0xF4) return {3, 0x80, 0x8F};
  return {0, 0, 0};
}

}  // namespace

Utf8Step read_utf8(std::string_view text, std::size_t at) {
  const auto first = static_cast<unsigned char>(text[at]);
  if (first < 0x80) return {first, 1, Utf8Status::kGood};
  const Lead lead = lead_of(first);
  if (lead.continuation_bytes == 0) return {kReplacementCharacter, 1, Utf8Status::kIllFormed};
  char32_t code_point = first & (0x3F >> lead.continuation_bytes);
  for (int i = 1; i <= lead.continuation_bytes; ++i) {
    const std::size_t length = static_cast<std::size_t>(i);
    if (at + length >= text.size()) return {kReplacementCharacter, length, Utf8Status::kIncomplete};
    const auto byte = static_cast<unsigned char>(text[at + length]);
    const unsigned char low = i == 1 ? lead.first_low : 0x80;
    const unsigned char high = i == 1 ? lead.first_high : 0xBF;
    if (byte < low || byte > high) return {kReplacementCharacter, length, Utf8Status::kIllFormed};
    code_point = code_point << 6 | (byte & 0x3F);
  }
  return {code_point, static_cast<std::size_t>(lead.continuation_bytes) + 1, Utf8Status::kGood};
}

void append_utf8(std::string& text, char32_t code_point) {
  const auto put = [&](char32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0 | code_point >> 6);
    put(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    put(0xE0 | code_point >> 12);
    put(0x80 | (code_point >> 6 & 0x3F));
    put(0x80 | (code_point & 0x3F));
  } else {
    put(0xF0 | code_point >> 18);
    put(0x80 | (code_point >> 12 & 0x3F));
    put(0x80 | (code_point >> 6 & 0x3F));
    put(0x80 | (code_point & 0x3F));
  }
}

std::size_t valid_utf8_prefix(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    // Most text is mostly ASCII: eight bytes at a time.
    while (at + 8 <= text.size()) {
      std::uint64_t word = 0;
      std::memcpy(&word, text.data() + at, 8);
      if ((word & 0x8080808080808080U) != 0) break;
      at += 8;
    }
    if (at >= text.size()) break;
    const Utf8Step step = read_utf8(text, at);
    if (step.status != Utf8Status::kGood) return at;
    at += step.length;
  }
  return at;
}

std::string to_valid_utf8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const std::size_t good = valid_utf8_prefix(text);
    result.append(text.substr(0, good));
    text.remove_prefix(good);
    if (text.empty()) break;
    append_utf8(result, kReplacementCharacter);
    text.remove_prefix(read_utf8(text, 0).length);
  }
  return result;
}

}  // namespace fastvlm
