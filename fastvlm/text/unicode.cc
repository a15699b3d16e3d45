#include "fastvlm/text/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <vector>

#include "fastvlm/base/assert.h"
#include "fastvlm/text/utf8.h"

namespace fastvlm {
namespace {

constexpr utf8proc_int32_t kCodePoints = 0x110000;
constexpr utf8proc_int32_t kFirstHangulSyllable = 0xAC00;
constexpr utf8proc_int32_t kLastHangulSyllable = 0xD7A3;
constexpr std::size_t kMaxDecomposition = 32;  // canonical decompositions have at most four code points

using Decomposition = std::array<utf8proc_int32_t, kMaxDecomposition>;

std::size_t decompose(utf8proc_int32_t code_point, Decomposition& parts) {
  int boundary_class = 0;
  const auto length = utf8proc_decompose_char(code_point, parts.data(), parts.size(), UTF8PROC_DECOMPOSE, &boundary_class);
  FASTVLM_ASSERT(length >= 1 && length <= static_cast<utf8proc_ssize_t>(parts.size()), "canonical decomposition");
  return static_cast<std::size_t>(length);
}

std::size_t compose(utf8proc_int32_t* code_points, std::size_t count) {
  const auto length = utf8proc_normalize_utf32(code_points, static_cast<utf8proc_ssize_t>(count),
                                               static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
  FASTVLM_ASSERT(length >= 0, "canonical composition");
  return static_cast<std::size_t>(length);
}

std::uint8_t category_class(utf8proc_category_t category) {
  switch (category) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO: return kLetter;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO: return kNumber;
    // These three categories are exactly the White_Space characters outside the control characters.
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP: return kSpace;
    default: return 0;
  }
}

// Letters and numbers of Unicode 15.1 and 16, which utf8proc 2.8 does not know. With them the ids do not depend on which
// utf8proc is installed, and are those of Hugging Face `tokenizers` 0.23.
struct NewerRange {
  utf8proc_int32_t first;
  utf8proc_int32_t last;
  std::uint8_t character_class;
};
constexpr NewerRange kNewerRanges[] = {
    {0x1C89, 0x1C8A, kLetter},   {0xA7CB, 0xA7CD, kLetter},   {0xA7DA, 0xA7DC, kLetter},   {0x105C0, 0x105F3, kLetter},
    {0x10D40, 0x10D49, kNumber}, {0x10D4A, 0x10D65, kLetter}, {0x10D6F, 0x10D85, kLetter}, {0x10EC2, 0x10EC4, kLetter},
    {0x11380, 0x11389, kLetter}, {0x1138B, 0x1138B, kLetter}, {0x1138E, 0x1138E, kLetter}, {0x11390, 0x113B5, kLetter},
    {0x113B7, 0x113B7, kLetter}, {0x113D1, 0x113D1, kLetter}, {0x113D3, 0x113D3, kLetter}, {0x116D0, 0x116E3, kNumber},
    {0x11BC0, 0x11BE0, kLetter}, {0x11BF0, 0x11BF9, kNumber}, {0x13460, 0x143FA, kLetter}, {0x16100, 0x1611D, kLetter},
    {0x16130, 0x16139, kNumber}, {0x16D40, 0x16D6C, kLetter}, {0x16D70, 0x16D79, kNumber}, {0x18CFF, 0x18CFF, kLetter},
    {0x1CCF0, 0x1CCF9, kNumber}, {0x1E5D0, 0x1E5ED, kLetter}, {0x1E5F0, 0x1E5F0, kLetter}, {0x1E5F1, 0x1E5FA, kNumber},
    {0x2EBF0, 0x2EE5D, kLetter},
};

std::vector<std::uint8_t> build_classes() {
  std::vector<std::uint8_t> classes(kCodePoints, 0);
  const auto entry = [&](utf8proc_int32_t c) -> std::uint8_t& { return classes[static_cast<std::size_t>(c)]; };
  for (utf8proc_int32_t c = 0; c < kCodePoints; ++c) {
    const utf8proc_property_t* property = utf8proc_get_property(c);
    entry(c) |= category_class(static_cast<utf8proc_category_t>(property->category));
    if (property->combining_class != 0) entry(c) |= kUnstable;
    const bool hangul = c >= kFirstHangulSyllable && c <= kLastHangulSyllable;
    if (!hangul && property->decomp_seqindex == UINT16_MAX) continue;
    Decomposition parts;
    const std::size_t count = decompose(c, parts);
    if (count == 1 && parts[0] == c) continue;
    // Whatever stands behind the first place of a decomposition may combine with what comes before it.
    for (std::size_t i = 1; i < count; ++i) entry(parts[i]) |= kUnstable;
    if (!hangul && (compose(parts.data(), count) != 1 || parts[0] != c)) entry(c) |= kUnstable;
  }
  for (const NewerRange& range : kNewerRanges) {
    for (utf8proc_int32_t c = range.first; c <= range.last; ++c) entry(c) |= range.character_class;
  }
  for (const utf8proc_int32_t c : {0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x85}) entry(c) |= kSpace;
  entry('\n') |= kLineBreak;
  entry('\r') |= kLineBreak;
  return classes;
}

// Marks that follow each other are sorted by combining class, those of one class keep their order. utf8proc's own sort
// exchanges neighbours, which is quadratic on hostile text.
void sort_marks(std::vector<utf8proc_int32_t>& code_points) {
  const auto combining_class = [](utf8proc_int32_t c) { return utf8proc_get_property(c)->combining_class; };
  auto begin = code_points.begin();
  while (begin != code_points.end()) {
    if (combining_class(*begin) == 0) {
      ++begin;
      continue;
    }
    const auto end = std::find_if(begin, code_points.end(), [&](auto c) { return combining_class(c) == 0; });
    std::stable_sort(begin, end, [&](auto a, auto b) { return combining_class(a) < combining_class(b); });
    begin = end;
  }
}

void append_nfc(std::string_view text, std::string& out) {
  std::vector<utf8proc_int32_t> code_points;
  code_points.reserve(text.size());
  const char* next = text.data();
  const char* const end = next + text.size();
  while (next < end) {
    Decomposition parts;
    const std::size_t count = decompose(static_cast<utf8proc_int32_t>(read_valid_utf8(next)), parts);
    code_points.insert(code_points.end(), parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(count));
  }
  sort_marks(code_points);
  code_points.resize(compose(code_points.data(), code_points.size()));
  for (const utf8proc_int32_t c : code_points) append_utf8(out, static_cast<char32_t>(c));
}

}  // namespace

const std::uint8_t* character_classes() {
  static const std::vector<std::uint8_t> classes = build_classes();
  return classes.data();
}

char32_t small_letter(char32_t code_point) { return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(code_point))); }

std::string_view to_nfc(std::string_view text, std::string& buffer) {
  const std::uint8_t* classes = character_classes();
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const char* copied = begin;  // everything before it is in the buffer
  const char* stable = begin;  // start of the last character that nothing before it can change
  bool changed = false;
  for (const char* next = begin; next < end;) {
    const char* const here = next;
    if ((classes[read_valid_utf8(next)] & kUnstable) == 0) {
      stable = here;
      continue;
    }
    // An unstable run reaches from the stable character before it to the next stable one.
    const char* run_end = next;
    while (run_end < end) {
      const char* after = run_end;
      if ((classes[read_valid_utf8(after)] & kUnstable) == 0) break;
      run_end = after;
    }
    if (!changed) buffer.clear();
    changed = true;
    buffer.append(copied, stable);
    append_nfc({stable, run_end}, buffer);
    copied = stable = next = run_end;
  }
  if (!changed) return text;
  buffer.append(copied, end);
  return buffer;
}

}  // namespace fastvlm
