// What the tokenizer asks of Unicode: the classes of the pre-tokenisation rules and normal form C. The facts come from
// utf8proc, so the Unicode version is the one of the utf8proc that the program was linked with (2.8 = Unicode 15).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fastvlm {

// Bits of a character class. A character without any of the first three is "other" (marks, punctuation, symbols, …).
inline constexpr std::uint8_t kLetter = 1;     // \p{L}
inline constexpr std::uint8_t kNumber = 2;     // \p{N}
inline constexpr std::uint8_t kSpace = 4;      // \s: the property White_Space
inline constexpr std::uint8_t kLineBreak = 8;  // line feed or carriage return; kSpace is set too
inline constexpr std::uint8_t kUnstable = 16;  // may change, or change the character before it, under NFC

// The class of every code point, indexed by code point (0x110000 entries). Built at the first call, thread-safe.
const std::uint8_t* character_classes();

// By the simple case mapping.
char32_t small_letter(char32_t code_point);

// Normal form C of well-formed UTF-8. Returns `text` itself when nothing in it can change, else a view of `buffer`.
// O(n log n) even for long runs of combining marks.
std::string_view to_nfc(std::string_view text, std::string& buffer);

}  // namespace fastvlm
