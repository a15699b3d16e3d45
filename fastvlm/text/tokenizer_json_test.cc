#include "fastvlm/text/tokenizer_json.h"

#include <gtest/gtest.h>

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/base/json.h"
#include "fastvlm/text/tokenizer.h"

namespace fastvlm {
namespace {

const Path kGolden = Path(FASTVLM_TEST_DATA) / "golden";

Json good_json() { return *read_json_file(kGolden / "hf-unfused/checkpoint/tokenizer.json"); }

std::string error_of(const Json& json) {
  const auto tokenizer = Tokenizer::from_json(json.dump(), "t.json");
  return tokenizer.ok() ? "no error" : tokenizer.error().message;
}
std::string error_of(const SlowTokenizerFiles& files) {
  const auto tokenizer = Tokenizer::from_slow_files(files, "m");
  return tokenizer.ok() ? "no error" : tokenizer.error().message;
}
SlowTokenizerFiles good_slow_files() { return *read_slow_tokenizer_files(kGolden / "apple-tied/checkpoint"); }

TEST(TokenizerJson, IsCopiedWhenThereIsOne) {
  const Path folder = kGolden / "hf-unfused/checkpoint";
  EXPECT_EQ(build_tokenizer_json(folder)->json, *read_file(folder / "tokenizer.json", 1 << 20));
}

TEST(TokenizerJson, IsBuiltFromSlowFilesWithTheSameIds) {
  const Path folder = kGolden / "apple-tied/checkpoint";
  const auto text = build_tokenizer_json(folder);
  ASSERT_TRUE(text.ok()) << text.error().message;
  EXPECT_EQ(text->json, build_tokenizer_json(folder)->json);
  const Tokenizer built = *Tokenizer::from_json(text->json, "built");
  EXPECT_EQ(built.size(), 451);
  const Json cases = *read_json_file(kGolden / "apple-tied/tokenizer_cases.json");
  for (const Json& entry : cases) EXPECT_EQ(built.encode(entry["text"].get<std::string>()), entry["ids"].get<std::vector<std::int32_t>>());
}

// The golden folders hold one tokenizer in both forms; one of them has <image> on top.
TEST(TokenizerJson, IsBuiltLikeTheOneOfTheReference) {
  Json built = *parse_json(build_tokenizer_json(kGolden / "apple-tied/checkpoint")->json, "built");
  Json reference = good_json();
  reference["added_tokens"].erase(3);
  EXPECT_EQ(built["added_tokens"], reference["added_tokens"]);
  EXPECT_EQ(built["model"]["vocab"], reference["model"]["vocab"]);
  EXPECT_EQ(built["normalizer"], reference["normalizer"]);
  EXPECT_EQ(built["pre_tokenizer"]["pretokenizers"][0], reference["pre_tokenizer"]["pretokenizers"][0]);
  ASSERT_EQ(built["model"]["merges"].size(), reference["model"]["merges"].size());
  for (std::size_t i = 0; i < built["model"]["merges"].size(); ++i) {
    const Json& pair = reference["model"]["merges"][i];
    EXPECT_EQ(built["model"]["merges"][i], pair[0].get<std::string>() + " " + pair[1].get<std::string>());
  }
}

struct BadJson {
  const char* pointer;
  Json value;
  const char* expected;
};

TEST(TokenizerJson, RefusesWhatItCannotDoAndSaysWhatItFound) {
  const BadJson cases[] = {
      {"/normalizer/type", "NFKC", "the normalizer is NFKC"},
      {"/pre_tokenizer/type", "Whitespace", "the pre-tokenizer is Whitespace"},
      {"/pre_tokenizer/pretokenizers/0/type", "Digits", "the first pre-tokenizer is Digits"},
      {"/pre_tokenizer/pretokenizers/0/pattern/Regex", "\\w+", "splits by {\"Regex\":\"\\\\w+\"}"},
      {"/pre_tokenizer/pretokenizers/0/behavior", "Removed", "\"Isolated\""},
      {"/pre_tokenizer/pretokenizers/0/invert", true, "not inverted"},
      {"/pre_tokenizer/pretokenizers/1/use_regex", true, "use_regex false"},
      {"/pre_tokenizer/pretokenizers/1/add_prefix_space", true, "add_prefix_space"},
      {"/post_processor", {{"type", "TemplateProcessing"}}, "the post-processor is TemplateProcessing"},
      {"/decoder/type", "WordPiece", "the decoder is WordPiece"},
      {"/model/type", "Unigram", "the model is Unigram"},
      {"/model/byte_fallback", true, "uses \"byte_fallback\""},
      {"/model/dropout", 0.1, "uses \"dropout\""},
      {"/model/end_of_word_suffix", "</w>", "uses \"end_of_word_suffix\""},
      {"/model/vocab", Json::array(), "must be an object"},
      {"/model/vocab/a", 1, "the id 1 belongs to two tokens"},
      {"/model/vocab/a", "7", "the id of the token \"a\" must be an integer"},
      {"/model/vocab/a", -1, "must be an integer from 0"},
      {"/model/vocab/a", 4000000000, "must be an integer from 0"},
      {"/model/merges", "a b", "no list \"merges\""},
      {"/model/merges/0", Json::array({"a"}), "entry 0 of \"merges\""},
      {"/model/merges/0", "a b c", "not two tokens"},
      {"/model/merges/0", "z zzz", "that the vocabulary lacks"},
      {"/added_tokens", 3, "\"added_tokens\" must be a list"},
      {"/added_tokens/0/id", nullptr, "an added token has no id"},
      {"/added_tokens/0/id", 449, "the same id 449"},
      {"/added_tokens/0/id", 5, "has the id 5 of the token"},
      {"/added_tokens/0/content", "", "must have 1 to"},
      {"/added_tokens/0/content", "<image>", "has the ids"},
      {"/added_tokens/0/lstrip", true, "uses \"lstrip\""},
  };
  for (const BadJson& bad : cases) {
    Json json = good_json();
    json[Json::json_pointer(bad.pointer)] = bad.value;
    const std::string error = error_of(json);
    EXPECT_NE(error.find(bad.expected), std::string::npos) << bad.pointer << ": " << error;
    EXPECT_TRUE(error.starts_with("t.json: ")) << error;
  }
}

TEST(TokenizerJson, RefusesAVocabularyWithoutAByte) {
  Json json = good_json();
  json["model"]["vocab"].erase("\u0120");
  json["model"]["vocab"]["unused"] = 220;
  EXPECT_NE(error_of(json).find("no token for the byte 0x20"), std::string::npos) << error_of(json);
}

TEST(TokenizerJson, MatchesNormalizedAddedTokensAfterNfc) {
  Json json = good_json();
  json["added_tokens"][3]["content"] = "<\u00E9>";
  json["added_tokens"][3]["normalized"] = true;
  const Tokenizer tokenizer = *Tokenizer::from_json(json.dump(), "t.json");
  EXPECT_EQ(tokenizer.encode("<e\u0301>"), std::vector<std::int32_t>{451});
}

TEST(TokenizerJson, TakesTheLongestAddedToken) {
  Json json = good_json();
  json["added_tokens"][2]["content"] = "<image";
  const Tokenizer tokenizer = *Tokenizer::from_json(json.dump(), "t.json");
  EXPECT_EQ(tokenizer.encode("<image><image<|im_start|>"), (std::vector<std::int32_t>{451, 450, 449}));
}

TEST(SlowTokenizer, ReadsAddedTokensFromEitherFile) {
  SlowTokenizerFiles files = good_slow_files();
  files.tokenizer_config_json.clear();
  const Tokenizer from_added = *Tokenizer::from_slow_files(files, "m");
  EXPECT_TRUE(from_added.is_special(450));  // named by special_tokens_map.json
  files = good_slow_files();
  files.added_tokens_json.clear();
  const Tokenizer from_decoder = *Tokenizer::from_slow_files(files, "m");
  const std::string text = "<|im_start|>user\nhi<|im_end|>";
  EXPECT_EQ(from_added.encode(text), (std::vector<std::int32_t>{449, 344, 198, 71, 72, 450}));
  EXPECT_EQ(from_decoder.encode(text), from_added.encode(text));
}

TEST(SlowTokenizer, ReadsMergesWithWindowsLineEnds) {
  SlowTokenizerFiles files = good_slow_files();
  std::string merges;
  for (const char character : files.merges_txt) merges += character == '\n' ? "\r\n" : std::string(1, character);
  files.merges_txt = merges;
  EXPECT_EQ((*Tokenizer::from_slow_files(files, "m")).encode("What are these?"), (std::vector<std::int32_t>{301, 270, 268, 402, 30}));
}

TEST(SlowTokenizer, NamesTheFileThatIsWrong) {
  SlowTokenizerFiles files = good_slow_files();
  files.merges_txt += "one\n";
  EXPECT_EQ(error_of(files), "m/merges.txt: the merge \"one\" is not two tokens with one space between them");
  files = good_slow_files();
  files.added_tokens_json = R"({"<|im_end|>": 460})";
  EXPECT_NE(error_of(files).find("m/added_tokens.json: the added token \"<|im_end|>\" has the id 460, but 450"), std::string::npos);
  files = good_slow_files();
  files.vocab_json = "{";
  EXPECT_NE(error_of(files).find("m/vocab.json: "), std::string::npos);
  files = good_slow_files();
  files.merges_txt = "\xef\xbb\xbf" + files.merges_txt;
  EXPECT_TRUE(error_of(files).starts_with("m/merges.txt: the merge ")) << error_of(files);
  files.merges_txt.clear();
  EXPECT_EQ(error_of(files), "m/merges.txt: holds no merges but is an empty file; get it again");
  for (const char* text : {"[]", "null"}) {
    files = good_slow_files();
    files.tokenizer_config_json = text;
    EXPECT_EQ(error_of(files), "m/tokenizer_config.json: must be a JSON object");
    files = good_slow_files();
    files.special_tokens_map_json = text;
    EXPECT_EQ(error_of(files), "m/special_tokens_map.json: must be a JSON object");
  }
}

TEST(SlowTokenizer, ADamagedMergeIsToldOfItsFileAlsoWhenATokenizerJsonIsBuilt) {
  FolderForTests folder;
  const SlowTokenizerFiles files = good_slow_files();
  folder.write("vocab.json", files.vocab_json);
  folder.write("merges.txt", files.merges_txt + "x y\n");
  auto built = build_tokenizer_json(folder.path());
  ASSERT_FALSE(built.ok());
  EXPECT_EQ(built.error().message,
            (folder / "merges.txt").string() + ": the merge \"x y\" uses or makes a token that the vocabulary lacks");
}

TEST(SlowTokenizer, SaysWhichFilesAreNeeded) {
  const auto tokenizer = Tokenizer::load(kGolden);
  ASSERT_FALSE(tokenizer.ok());
  EXPECT_NE(tokenizer.error().message.find("vocab.json and merges.txt"), std::string::npos);
}

}  // namespace
}  // namespace fastvlm
