#include "fastvlm/synthetic/tokenizer.h"

#include <gtest/gtest.h>

#include <set>

namespace fastvlm {
namespace {

std::string text_of(CheckpointSize size, CheckpointDialect dialect, std::string_view name) {
  for (MadeTextFile& file : checkpoint_text_files(size, dialect))
    if (file.name == name) return std::move(file.text);
  return {};
}

TEST(MadeTokenizer, EveryMergeJoinsEarlierTokensToANewOne) {
  for (std::size_t size : {448u, 151643u}) {
    const MadeVocabulary made = make_vocabulary(size);
    ASSERT_EQ(made.tokens.size(), size);
    ASSERT_EQ(made.merges.size(), size - 256);
    for (std::size_t i = 0; i < made.merges.size(); ++i) {
      const auto [left, right] = made.merges[i];
      ASSERT_LT(std::max(left, right), 256 + i);
      ASSERT_EQ(made.tokens[left] + made.tokens[right], made.tokens[256 + i]);
    }
    EXPECT_EQ(std::set<std::string>(made.tokens.begin(), made.tokens.end()).size(), size);
  }
}

TEST(MadeTokenizer, TheByteSymbolsStandInTheOrderOfGpt2) {
  const MadeVocabulary made = make_vocabulary(256);
  EXPECT_EQ(made.tokens[0], "!");
  EXPECT_EQ(made.tokens[198], "Ċ");  // line feed
  EXPECT_EQ(made.tokens[220], "Ġ");  // space
}

// The published added_tokens.json has 80 bytes for 0.5B and 605 for 7B.
TEST(MadeTokenizer, TheAddedTokensAreThePublishedOnes) {
  EXPECT_EQ(text_of(CheckpointSize::k0_5b, CheckpointDialect::kApple, "added_tokens.json").size(), 80u);
  EXPECT_EQ(text_of(CheckpointSize::k7b, CheckpointDialect::kApple, "added_tokens.json").size(), 605u);
  EXPECT_EQ(text_of(CheckpointSize::k0_5b, CheckpointDialect::kApple, "generation_config.json").size(), 100u);
}

TEST(MadeTokenizer, TheTokenizerJsonHoldsTheSameVocabularyAsTheSlowFiles) {
  const Json json = Json::parse(text_of(CheckpointSize::kTiny, CheckpointDialect::kHf, "tokenizer.json"));
  const Json vocabulary = Json::parse(text_of(CheckpointSize::kTiny, CheckpointDialect::kApple, "vocab.json"));
  EXPECT_EQ(json["model"]["vocab"], vocabulary);
  EXPECT_EQ(json["model"]["merges"].size(), vocabulary.size() - 256);
  EXPECT_EQ(json["added_tokens"][3]["content"], "<image>");
  EXPECT_EQ(json["added_tokens"][3]["id"], 451);
}

TEST(MadeTokenizer, TheConfigsAreThoseOfTheGoldenCheckpoints) {
  const Path golden = Path(FASTVLM_TEST_DATA) / "golden";
  auto apple = read_json_file(golden / "apple-tied/checkpoint/tokenizer_config.json");
  auto hf = read_json_file(golden / "hf-unfused/checkpoint/tokenizer_config.json");
  auto preprocessor = read_json_file(golden / "hf-unfused/checkpoint/preprocessor_config.json");
  ASSERT_TRUE(apple.ok() && hf.ok() && preprocessor.ok());
  EXPECT_EQ(Json::parse(text_of(CheckpointSize::kTiny, CheckpointDialect::kApple, "tokenizer_config.json")), *apple);
  EXPECT_EQ(Json::parse(text_of(CheckpointSize::kTiny, CheckpointDialect::kHf, "tokenizer_config.json")), *hf);
  EXPECT_EQ(Json::parse(text_of(CheckpointSize::kTiny, CheckpointDialect::kHf, "preprocessor_config.json")), *preprocessor);
}

}  // namespace
}  // namespace fastvlm
