#include "fastvlm/export/side_files.h"

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

namespace fs = std::filesystem;

// A copy of a golden checkpoint that a test may change.
class SideFilesTest : public testing::Test {
 protected:
  void use(const char* golden) {
    fs::copy(Path(FASTVLM_TEST_DATA) / "golden" / golden / "checkpoint", folder_.path(),
             fs::copy_options::overwrite_existing | fs::copy_options::recursive);
  }
  Result<SideFiles> files(std::int64_t image_size = 256) {
    TRY_ASSIGN(Checkpoint checkpoint, Checkpoint::open(folder_.path()));
    TRY_ASSIGN(ModelConfig config, read_model_config(checkpoint));
    if (!config.eos_token_ids.empty()) eos_ = config.eos_token_ids.front();
    return side_files(checkpoint, config, image_size);
  }
  SideFiles good(std::int64_t image_size = 256) {
    auto made = files(image_size);
    EXPECT_TRUE(made.ok()) << made.error().message;
    return made.ok() ? *made : SideFiles();
  }
  FolderForTests folder_;
  std::optional<std::int64_t> eos_;
};

TEST_F(SideFilesTest, TheTokenizerIsBuiltWhereOnlyVocabularyAndMergesExist) {
  use("apple-tied");
  const SideFiles made = good();
  EXPECT_EQ(made.made.at("tokenizer.json"), "built from vocab.json, merges.txt and the added tokens");
  auto tokenizer = parse_json(made.bytes.at("tokenizer.json"), "tokenizer.json");
  ASSERT_TRUE(tokenizer.ok());
  EXPECT_EQ((*tokenizer)["model"]["type"], "BPE");
  EXPECT_TRUE(made.findings.empty());
}

TEST_F(SideFilesTest, WhatTheCheckpointHasIsCopiedByteByByte) {
  use("hf-unfused");
  folder_.write("chat_template.jinja", "{{ messages }}\n");
  const SideFiles made = good();
  for (const char* name : {"tokenizer.json", "config.json", "tokenizer_config.json", "chat_template.jinja"}) {
    EXPECT_EQ(made.made.at(name), "copied") << name;
    EXPECT_EQ(made.bytes.at(name), folder_.read(name)) << name;
  }
  for (const auto& [name, bytes] : made.bytes) EXPECT_TRUE(made.made.contains(name)) << name;
  EXPECT_FALSE(made.bytes.contains("model.safetensors"));
}

TEST_F(SideFilesTest, NoTokenizerIsAFindingAndNoError) {
  use("apple-tied");
  fs::remove(folder_ / "vocab.json");
  const SideFiles made = good();
  EXPECT_FALSE(made.bytes.contains("tokenizer.json"));
  ASSERT_EQ(made.findings.size(), 1u);
  EXPECT_NE(made.findings[0].find("no tokenizer files"), std::string::npos);
}

TEST_F(SideFilesTest, TheGenerationConfigAlwaysNamesAStop) {
  use("apple-tied");
  struct Case {
    const char* text;  // nullptr: no such file
    const char* made;
  };
  for (const Case& c : {Case{nullptr, "made"}, Case{R"({"top_k": 3})", "copied, eos_token_id added"},
                        Case{R"({"eos_token_id": null})", "copied, eos_token_id added"}, Case{R"({"eos_token_id": [1, 2]})", "copied"}}) {
    fs::remove(folder_ / "generation_config.json");
    if (c.text != nullptr) folder_.write("generation_config.json", c.text);
    const SideFiles made = good();
    ASSERT_TRUE(eos_.has_value());
    EXPECT_EQ(made.made.at("generation_config.json"), c.made);
    const Json json = Json::parse(made.bytes.at("generation_config.json"));
    if (std::string_view(c.made) == "copied")
      EXPECT_EQ(made.bytes.at("generation_config.json"), c.text);
    else
      EXPECT_EQ(json["eos_token_id"], *eos_);
    if (c.text != nullptr && json.contains("top_k")) {
      EXPECT_EQ(json["top_k"], 3);
    }
  }
}

TEST_F(SideFilesTest, ThePreprocessorConfigFitsTheImageSizeOfTheExport) {
  use("hf-unfused");
  const auto own = Json::parse(folder_.read("preprocessor_config.json"))["crop_size"]["height"].get<std::int64_t>();
  EXPECT_EQ(good(own).made.at("preprocessor_config.json"), "copied");
  const SideFiles other = good(2 * own);
  EXPECT_EQ(other.made.at("preprocessor_config.json"), fmt::format("made for {} pixels", 2 * own));
  const Json json = Json::parse(other.bytes.at("preprocessor_config.json"));
  EXPECT_EQ(json["crop_size"]["height"], 2 * own);
  EXPECT_EQ(json["size"]["shortest_edge"], 2 * own);
  EXPECT_EQ(json["image_mean"], (std::vector<double>{0, 0, 0}));
  EXPECT_EQ(json["image_std"], (std::vector<double>{1, 1, 1}));
}

TEST_F(SideFilesTest, ANestedImageProcessorIsWrittenWhereOtherClientsLookForIt) {
  use("hf-unfused");
  OrderedJson processor = OrderedJson::parse(folder_.read("preprocessor_config.json"));
  processor["image_mean"] = 0.5;
  const OrderedJson whole = {{"image_processor", processor}, {"processor_class", "LlavaProcessor"}};
  folder_.write("processor_config.json", whole.dump());
  const SideFiles same = good(256);
  EXPECT_EQ(same.bytes.at("processor_config.json"), whole.dump());
  EXPECT_EQ(OrderedJson::parse(same.bytes.at("preprocessor_config.json")), processor);
  EXPECT_EQ(same.made.at("preprocessor_config.json"), "made from processor_config.json");
  const SideFiles other = good(512);
  const OrderedJson changed = OrderedJson::parse(other.bytes.at("processor_config.json"));
  EXPECT_EQ(changed["processor_class"], "LlavaProcessor");
  EXPECT_EQ(changed["image_processor"]["crop_size"]["width"], 512);
  EXPECT_EQ(changed["image_processor"]["image_mean"], 0.5);
  EXPECT_EQ(OrderedJson::parse(other.bytes.at("preprocessor_config.json")), changed["image_processor"]);
}

TEST_F(SideFilesTest, ADamagedFileIsNamed) {
  for (const char* name : {"generation_config.json", "preprocessor_config.json", "tokenizer.json"}) {
    use("hf-unfused");
    folder_.write(name, "{\"cut off\": ");
    auto made = files();
    ASSERT_FALSE(made.ok()) << name;
    EXPECT_EQ(made.error().kind, ErrorKind::kBadInput);
    EXPECT_TRUE(made.error().message.starts_with((folder_ / name).string())) << made.error().message;
    fs::remove(folder_ / name);
  }
  use("hf-unfused");
  folder_.write("generation_config.json", "[]");
  auto list = files();
  ASSERT_FALSE(list.ok());
  EXPECT_EQ(list.error().message, (folder_ / "generation_config.json").string() + ": must be a JSON object");
}

}  // namespace
}  // namespace fastvlm
