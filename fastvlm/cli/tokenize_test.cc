#include "fastvlm/cli/program_for_tests.h"

namespace fastvlm::cli {
namespace {

const char* const kFolders[] = {"apple-tied", "hf-untied-sharded", "hf-unfused"};

TEST(TokenizeVerb, GivesTheIdsOfTheReferenceAndTheTextBack) {
  for (const char* name : kFolders) {
    const Path folder = kTestData / "golden" / name;
    const std::string model = (folder / "checkpoint").string();
    auto cases = read_json_file(folder / "tokenizer_cases.json");
    ASSERT_TRUE(cases.ok());
    for (const Json& row : *cases) {
      const Json got = run_json({"tokenize", "--model-dir", model}, row["text"].get<std::string>());
      EXPECT_EQ(got["ids"], row["ids"]) << row["text"];
      EXPECT_EQ(got["tokens"].size(), row["ids"].size());
      const ProcessResult back = run_program({"tokenize", "--model-dir", model, "--decode"}, got["ids"].dump());
      EXPECT_EQ(back.output, row["decoded"].get<std::string>());
    }
  }
}

TEST(TokenizeVerb, PlainIdsCanBeDecodedAgain) {
  const std::string model = (kTestData / "golden/apple-tied/checkpoint").string();
  const ProcessResult ids = run_program({"tokenize", "--model-dir", model}, "Hello world");
  EXPECT_EQ(ids.output, "39 68 75 75 78 220 86 78 81 75 67\n");
  EXPECT_EQ(run_program({"tokenize", "--model-dir", model, "--decode"}, ids.output).output, "Hello world");
}

TEST(TokenizeVerb, WorksOnAFolderWithTokenizerFilesOnly) {
  FolderForTests folder;
  for (const char* file : {"vocab.json", "merges.txt", "added_tokens.json", "tokenizer_config.json"})
    std::filesystem::copy_file(kTestData / "golden/apple-tied/checkpoint" / file, folder / file);
  EXPECT_EQ(run_program({"tokenize", "--model-dir", folder.path().string()}, "What").exit_code, 0);
}

TEST(TokenizeVerb, ShowsThePlaceOfTheImageInAChat) {
  const std::string model = (kTestData / "golden/apple-tied/checkpoint").string();
  const ProcessResult ids = run_program({"tokenize", "--model-dir", model, "--chat"}, "What is this?");
  const ProcessResult text = run_program({"tokenize", "--model-dir", model, "--decode"}, ids.output);
  EXPECT_EQ(text.output,
            "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n<image>\nWhat is "
            "this?<|im_end|>\n<|im_start|>assistant\n");
  const Json json = run_json({"tokenize", "--model-dir", model, "--chat"}, "What is this?");
  const auto place = std::find(json["tokens"].begin(), json["tokens"].end(), "<image>") - json["tokens"].begin();
  EXPECT_TRUE(json["ids"][static_cast<std::size_t>(place)].is_null());
  EXPECT_EQ(run_program({"tokenize", "--model-dir", model, "--decode"}, json["ids"].dump()).output, text.output);
}

TEST(TokenizeVerb, RefusesWhatIsNoId) {
  const std::string model = (kTestData / "golden/apple-tied/checkpoint").string();
  for (const char* input : {"1 2 three", "99999999999", "-4", "1.5", "4000"}) {
    const ProcessResult result = run_program({"tokenize", "--model-dir", model, "--decode"}, input);
    EXPECT_EQ(result.exit_code, 3) << input;
    EXPECT_NE(result.output.find("standard input: "), std::string::npos) << result.output;
  }
}

}  // namespace
}  // namespace fastvlm::cli
