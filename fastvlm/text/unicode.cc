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
  const auto length =
      utf8proc_decompose_char(code_point, parts.data(), parts.size(), UTF8PROC_DECOMPOSE, &boundary_class);
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
    case UTF8PROC_CATEGORY_LO:
      return kLetter;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return kNumber;
    // These three categories are exactly the White_Space characters outside the control characters.
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return kSpace;
    default:
      return 0;
  }
}

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
