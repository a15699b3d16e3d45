#include "fastvlm/text/pretokenizer.h"

#include "fastvlm/text/unicode.h"
#include "fastvlm/text/utf8.h"

namespace fastvlm {
namespace {
constexpr std::uint8_t kNotASymbol = kLetter | kNumber | kSpace;
}

PieceScanner::PieceScanner(std::string_view text) : classes_(character_classes()), next_(text.data()), end_(text.data() + text.size()) {}

std::string_view PieceScanner::next() {
  if (next_ == end_) return {};
  const char* const begin = next_;
  next_ = end_of_piece(begin);
  return {begin, static_cast<std::size_t>(next_ - begin)};
}

inline std::uint8_t PieceScanner::read_class(const char*& next) const { return classes_[read_valid_utf8(next)]; }

// The alternatives of the pattern, in its order.
const char* PieceScanner::end_of_piece(const char* begin) const {
  if (*begin == '\'') {
    if (const char* end = end_of_contraction(begin)) return end;
  }
  const char* second = begin;
  const std::uint8_t first = read_class(second);
  if (first & kLetter) return skip_letters(second);
  if (first & kNumber) return second;
  const char* third = second;
  const std::uint8_t following = second < end_ ? read_class(third) : kSpace;  // the end of the text is like a space here
  if (!(first & kLineBreak) && (following & kLetter)) return skip_letters(third);
  if (!(first & kNotASymbol)) return skip_symbols_and_line_breaks(second);
  if (*begin == ' ' && !(following & kNotASymbol)) return skip_symbols_and_line_breaks(third);
  return end_of_white_space(begin);
}

// (?i:'s|'t|'re|'ve|'m|'ll|'d). Under case folding the long s, U+017F, is an s too.
const char* PieceScanner::end_of_contraction(const char* apostrophe) const {
  const auto letter = [&](int i) { return end_ - apostrophe > i ? apostrophe[i] | 0x20 : 0; };
  switch (letter(1)) {
    case 's':
    case 't':
    case 'm':
    case 'd': return apostrophe + 2;
    case 'r':
    case 'v': return letter(2) == 'e' ? apostrophe + 3 : nullptr;
    case 'l': return letter(2) == 'l' ? apostrophe + 3 : nullptr;
    default: break;
  }
  const bool long_s = end_ - apostrophe >= 3 && apostrophe[1] == '\xC5' && apostrophe[2] == '\xBF';
  return long_s ? apostrophe + 3 : nullptr;
}

const char* PieceScanner::skip_letters(const char* next) const {
  while (next < end_) {
    const char* after = next;
    if (!(read_class(after) & kLetter)) break;
    next = after;
  }
  return next;
}

const char* PieceScanner::skip_symbols_and_line_breaks(const char* next) const {
  while (next < end_) {
    const char* after = next;
    if (read_class(after) & kNotASymbol) break;
    next = after;
  }
  while (next < end_ && (*next == '\n' || *next == '\r')) ++next;
  return next;
}

// \s*[\r\n]+ ends behind the last line break of the run. Without one, \s+(?!\S) leaves the last character to the piece that
// follows, unless the text ends or that character is the whole run.
const char* PieceScanner::end_of_white_space(const char* begin) const {
  const char* next = begin;
  const char* last = begin;
  const char* behind_line_break = nullptr;
  while (next < end_) {
    const char* after = next;
    const std::uint8_t character = read_class(after);
    if (!(character & kSpace)) break;
    if (character & kLineBreak) behind_line_break = after;
    last = next;
    next = after;
  }
  if (behind_line_break != nullptr) return behind_line_break;
  return next == end_ || last == begin ? next : last;
}

}  // namespace fastvlm
