// UTF-8 read strictly. Ill-formed bytes become U+FFFD, one per maximal subpart (Unicode 15, section 3.9, as in the WHATWG
// decoder and Python's errors="replace"), so that every byte string has exactly one reading.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fastvlm {

inline constexpr char32_t kReplacementCharacter = 0xFFFD;

enum class Utf8Status {
  kGood,
  kIllFormed,   // no continuation can make these bytes good
  kIncomplete,  // the text ends inside a code point that more bytes could finish
};

struct Utf8Step {
  char32_t code_point = kReplacementCharacter;
  std::size_t length = 1;
  Utf8Status status = Utf8Status::kGood;
};

// Reads the code point that starts at `at` < text.size().
Utf8Step read_utf8(std::string_view text, std::size_t at);

// Reads a code point from text that is known to be well-formed, and moves `next` behind it.
inline char32_t read_valid_utf8(const char*& next) {
  const auto byte = [&](int i) { return static_cast<char32_t>(static_cast<unsigned char>(next[i])); };
  const char32_t lead = byte(0);
  if (lead < 0x80) {
    next += 1;
    return lead;
  }
  if (lead < 0xE0) {
    const char32_t result = (lead & 0x1F) << 6 | (byte(1) & 0x3F);
    next += 2;
    return result;
  }
  if (lead < 0xF0) {
    const char32_t result = (lead & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
    next += 3;
    return result;
  }
  const char32_t result = (lead & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F);
  next += 4;
  return result;
}

void append_utf8(std::string& text, char32_t code_point);

// The number of leading bytes that are well-formed.
std::size_t valid_utf8_prefix(std::string_view text);

// The text with every ill-formed part replaced by U+FFFD.
std::string to_valid_utf8(std::string_view text);

}  // namespace fastvlm
