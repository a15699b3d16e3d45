#include "fastvlm/text/unicode.h"

#include <gtest/gtest.h>

#include "fastvlm/text/utf8.h"

namespace fastvlm {
namespace {

std::string nfc(std::string_view text) {
  std::string buffer;
  return std::string(to_nfc(text, buffer));
}

TEST(Utf8, ReplacesEveryMaximalSubpartOnce) {
  EXPECT_EQ(to_valid_utf8("a\xFFz"), "a\uFFFDz");
  EXPECT_EQ(to_valid_utf8("\xE2\x82"), "\uFFFD");                            // cut short
  EXPECT_EQ(to_valid_utf8("\xE2\x82z"), "\uFFFDz");                          // broken off
  EXPECT_EQ(to_valid_utf8("\xC0\x80"), "\uFFFD\uFFFD");                      // overlong
  EXPECT_EQ(to_valid_utf8("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");            // surrogate
  EXPECT_EQ(to_valid_utf8("\xF4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD");  // beyond U+10FFFF
  EXPECT_EQ(to_valid_utf8("\xF0\x9F\x99\x82"), "\U0001F642");
}

TEST(Utf8, WritesWhatItReads) {
  for (char32_t c = 0; c < 0x110000; c += 37) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string text;
    append_utf8(text, c);
    const Utf8Step step = read_utf8(text, 0);
    ASSERT_EQ(step.status, Utf8Status::kGood);
    ASSERT_EQ(step.code_point, c);
    ASSERT_EQ(step.length, text.size());
    const char* next = text.data();
    ASSERT_EQ(read_valid_utf8(next), c);
    ASSERT_EQ(next, text.data() + text.size());
  }
}

TEST(Unicode, ClassesFollowThePropertiesAndNotTheLocale) {
  const std::uint8_t* classes = character_classes();
  for (const char32_t c : {U'a', U'Z', U'ß', U'ж', U'世', U'ª', U'ǅ', U'ʰ', U'ا'}) EXPECT_TRUE(classes[c] & kLetter) << int(c);
  for (const char32_t c : {U'0', U'٣', U'Ⅷ', U'½', U'४'}) EXPECT_TRUE(classes[c] & kNumber) << int(c);
  for (const char32_t c : {0x09, 0x0B, 0x0C, 0x20, 0x85, 0xA0, 0x1680, 0x2003, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000})
    EXPECT_TRUE(classes[c] & kSpace) << int(c);
  for (const char32_t c : {0x1C, 0x1F, 0x180E, 0x200B, 0x2060, 0xFEFF}) EXPECT_FALSE(classes[c] & kSpace) << int(c);
  EXPECT_EQ(classes[U'\n'], kSpace | kLineBreak);
  EXPECT_EQ(classes[U'\r'], kSpace | kLineBreak);
  EXPECT_EQ(classes[0x0301], kUnstable);  // a mark is neither letter nor space
}

TEST(Unicode, KnowsTheLettersAndDigitsOfUnicode16) {
  EXPECT_TRUE(character_classes()[0x105C0] & kLetter);
  EXPECT_TRUE(character_classes()[0x2EBF0] & kLetter);
  EXPECT_TRUE(character_classes()[0x1CCF0] & kNumber);
}

TEST(Unicode, ComposesOnlyWhatCanChange) {
  EXPECT_EQ(nfc("plain"), "plain");
  EXPECT_EQ(nfc("Cafe\u0301!"), "Caf\u00E9!");
  EXPECT_EQ(nfc("\u0301e\u0301"), "\u0301\u00E9");                 // a mark at the beginning
  EXPECT_EQ(nfc("e\u0323\u0302 e\u0302\u0323"), "\u1EC7 \u1EC7");  // the order of marks
  EXPECT_EQ(nfc("\u212B\uFB1D"), "\u00C5\u05D9\u05B4");            // a singleton and a composition exclusion
  EXPECT_EQ(nfc("\u1112\u1161\u11AB"), "\uD55C");                  // Hangul
  EXPECT_EQ(nfc("\uD558\u11AB"), "\uD55C");
}

TEST(Unicode, LeavesNormalTextInPlace) {
  const std::string text = "na\u00EFve \u4E16";
  std::string buffer;
  EXPECT_EQ(to_nfc(text, buffer).data(), text.data());
}

// 200,000 marks in the worst order: an exchange sort would take minutes.
TEST(Unicode, SortsLongRunsOfMarks) {
  std::string text = "a";
  std::string below;
  std::string above;
  for (int i = 0; i < 100'000; ++i) {
    text += "\u0301\u0323";
    below += "\u0323";
    above += "\u0301";
  }
  EXPECT_EQ(nfc(text), "\u1EA1" + below.substr(2) + above);
}

}  // namespace
}  // namespace fastvlm
