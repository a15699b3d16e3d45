// The forms of text that scores compare.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fastvlm {

// Small letters by the simple case mapping of Unicode; text that is no UTF-8 is read with U+FFFD.
std::string small_letters(std::string_view text);
// Without white space at both ends.
std::string_view without_margins(std::string_view text);
// Words without the white space between them.
std::vector<std::string_view> words_of(std::string_view text);
// Words joined by one blank.
std::string with_single_blanks(std::string_view text);
// Characters of UTF-8.
std::u32string characters_of(std::string_view text);
// `from` replaced by `to` everywhere.
std::string replaced(std::string text, std::string_view from, std::string_view to);

// Letters to add, drop or change until one text is the other.
std::size_t levenshtein(std::u32string_view a, std::u32string_view b);

// A number as Python's float() reads it, without underscores: blanks around it, "1e3", ".5", "inf", "nan". False: it is none.
bool number_from(std::string_view text, double& number);

}  // namespace fastvlm
