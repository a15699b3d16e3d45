#include "fastvlm/text/tokenizer.h"

#include <gtest/gtest.h>

#include <random>

#include "fastvlm/base/json.h"
#include "fastvlm/text/stream_decoder.h"
#include "fastvlm/text/unicode.h"
#include "fastvlm/text/utf8.h"

namespace fastvlm {
namespace {

const Path kData = FASTVLM_TEST_DATA;
using Ids = std::vector<std::int32_t>;

Tokenizer load(const Path& folder) {
  auto tokenizer = Tokenizer::load(folder);
  if (!tokenizer.ok()) throw std::runtime_error(tokenizer.error().message);
  return *std::move(tokenizer);
}
const Tokenizer& qwen() {
  static const Tokenizer tokenizer = load(kData / "tokenizer/qwen2.5");
  return tokenizer;
}
const Tokenizer& small() {
  static const Tokenizer tokenizer = load(kData / "golden/hf-unfused/checkpoint");
  return tokenizer;
}

void expect_cases(const Tokenizer& tokenizer, const Path& file, std::size_t at_least) {
  const auto cases = read_json_file(file);
  ASSERT_TRUE(cases.ok()) << cases.error().message;
  ASSERT_GE(cases->size(), at_least);
  for (const Json& entry : *cases) {
    const auto text = entry["text"].get<std::string>();
    const auto ids = entry["ids"].get<Ids>();
    EXPECT_EQ(tokenizer.encode(text), ids) << entry["text"];
    EXPECT_EQ(tokenizer.decode(ids), entry["decoded"].get<std::string>());
  }
}

TEST(Tokenizer, GivesTheIdsOfTheReferenceFromSlowFiles) {
  expect_cases(load(kData / "golden/apple-tied/checkpoint"), kData / "golden/apple-tied/tokenizer_cases.json", 17);
}
TEST(Tokenizer, GivesTheIdsOfTheReferenceFromTokenizerJson) {
  for (const char* name : {"hf-unfused", "hf-untied-sharded"})
    expect_cases(load(kData / "golden" / name / "checkpoint"), kData / "golden" / name / "tokenizer_cases.json", 17);
}
TEST(Tokenizer, GivesTheIdsOfTheReferenceForTheRealVocabulary) {
  expect_cases(qwen(), kData / "tokenizer/qwen2.5/cases.json", 51);
  expect_cases(qwen(), kData / "tokenizer/qwen2.5/unicode_cases.json", 250);
}

TEST(Tokenizer, KnowsItsSizeAndTokens) {
  EXPECT_EQ(qwen().size(), 151665);
  EXPECT_EQ(qwen().token_id("<|im_end|>"), 151645);
  EXPECT_EQ(qwen().token_id("Ġworld"), 1879);
  EXPECT_EQ(qwen().token_id("no such token"), std::nullopt);
  EXPECT_EQ(qwen().token_text(1879), "Ġworld");
  EXPECT_EQ(qwen().token_bytes(1879), " world");
  EXPECT_TRUE(qwen().is_special(151645));
  EXPECT_FALSE(qwen().is_special(151657));  // <tool_call> is added, not special
  EXPECT_FALSE(qwen().is_token(151665));
  EXPECT_FALSE(qwen().is_token(-200));
}

TEST(Tokenizer, LeavesAddedTokensAloneWhenAsked) {
  const Ids ids = qwen().encode("<|im_end|>", {.added_tokens = AddedTokens::kNone});
  EXPECT_GT(ids.size(), 1U);
  EXPECT_EQ(qwen().decode(ids), "<|im_end|>");
}

TEST(Tokenizer, SkipsSpecialTokensWhenAsked) {
  const Ids ids = qwen().encode("<|im_start|>hi<tool_call><|im_end|>");
  EXPECT_EQ(qwen().decode(ids, {.skip_special = true}), "hi<tool_call>");
}

TEST(Tokenizer, DecodesIdsWithoutATokenToNothing) { EXPECT_EQ(qwen().decode(Ids{9707, -1, 151665, 151935, 1879}), "Hello world"); }

TEST(Tokenizer, ReadsBrokenUtf8AsReplacementCharacters) { EXPECT_EQ(qwen().encode("a\xFF\xE2\x82"), qwen().encode("a\uFFFD\uFFFD")); }

std::string random_text(std::mt19937& random) {
  constexpr std::string_view kUsual = " \n\r\t'sStTrReElL.,!0123";
  std::string text;
  for (int length = static_cast<int>(random() % 60); length > 0; --length) {
    const char32_t limit = random() % 2 == 0 ? 0x3000 : 0x110000;
    const char32_t c = random() % limit;
    if (random() % 3 == 0) {
      text.push_back(kUsual[random() % kUsual.size()]);
    } else if (c < 0xD800 || c > 0xDFFF) {
      append_utf8(text, c);
    }
  }
  return text;
}

TEST(Tokenizer, RestoresRandomTextAtOnceAndAsAStream) {
  std::mt19937 random(1);
  for (int i = 0; i < 3000; ++i) {
    const std::string text = random_text(random);
    std::string buffer;
    const std::string normal(to_nfc(text, buffer));
    for (const Tokenizer* tokenizer : {&qwen(), &small()}) {
      const Ids ids = tokenizer->encode(text);
      ASSERT_EQ(tokenizer->decode(ids), normal);
      StreamDecoder stream(*tokenizer);
      std::string streamed;
      for (const std::int32_t id : ids) {
        const std::string part = stream.push(id);
        ASSERT_EQ(valid_utf8_prefix(part), part.size());
        streamed += part;
      }
      ASSERT_EQ(streamed + stream.finish(), normal);
    }
  }
}

// A long text remembers words that a short one merges anew.
TEST(Tokenizer, GivesTheSameIdsInShortAndInLongTexts) {
  std::mt19937 random(2);
  std::string text;
  Ids expected;
  for (int i = 0; i < 20'000; ++i) {
    std::string line;
    for (int length = static_cast<int>(random() % 12) + 1; length > 0; --length) line += "abcdeXYZ"[random() % 4 + i % 5];
    line += '\n';
    const Ids ids = qwen().encode(line);
    expected.insert(expected.end(), ids.begin(), ids.end());
    text += line;
  }
  EXPECT_EQ(qwen().encode(text), expected);
}

TEST(Tokenizer, SplitsAMillionLettersWithoutQuadraticTime) {
  const Ids ids = qwen().encode(std::string(1'000'000, 'a'));
  EXPECT_EQ(ids, Ids(125'000, qwen().encode("aaaaaaaa")[0]));
}

TEST(StreamDecoder, HoldsBackHalfACharacter) {
  const Ids ids = qwen().encode("\U0001D518");  // three tokens for one character
  ASSERT_GE(ids.size(), 2U);
  StreamDecoder stream(qwen());
  EXPECT_EQ(stream.push(ids[0]), "");
  EXPECT_EQ(stream.finish(), "\uFFFD");
  std::string text;
  for (const std::int32_t id : ids) text += stream.push(id);
  EXPECT_EQ(text, "\U0001D518");
  EXPECT_EQ(stream.finish(), "");
}

}  // namespace
}  // namespace fastvlm
