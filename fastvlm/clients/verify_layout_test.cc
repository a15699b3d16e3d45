// A folder that is damaged in one way is named by one sentence that says which.
#include "fastvlm/clients/verify_layout.h"

#include <algorithm>

#include "fastvlm/checkpoint/golden_for_tests.h"
#include "fastvlm/clients/damaged_layout_for_tests.h"

namespace fastvlm::clients {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kBoth = {"transformers-js", "onnxruntime-genai"};

// One export of both layouts for all tests.
const Path& exported() {
  static const LayoutsForTests both("verify-layout", {.model = {.model_dir = golden_folder("apple-tied") / "checkpoint", .image_size = 128},
                                                      .layouts = kBoth,
                                                      .variants = {"fp32", "q4"}});
  return both.path();
}

void rename_token(const Path& file, const std::string& from, const std::string& to) {
  Json json = Json::parse(bytes_of(file));
  for (Json& token : json.at("added_tokens"))
    if (token.at("content") == from) token["content"] = to;
  replace_bytes(file, json.dump());
}

// Two names of the same length change places wherever they stand, so that the graph is whole but its inputs have another order.
void swap_names(const Path& file, const std::string& a, const std::string& b) {
  std::string bytes = bytes_of(file);
  for (std::size_t at = 0; at + a.size() <= bytes.size(); ++at) {
    const std::string_view here(bytes.data() + at, a.size());
    if (here == a)
      bytes.replace(at, a.size(), b);
    else if (here == b)
      bytes.replace(at, a.size(), a);
  }
  replace_bytes(file, bytes);
}

const Damage kDamages[] = {
    {"transformers-js", [](const Path& f) { fs::remove(f / "preprocessor_config.json"); }, "preprocessor_config.json", "missing"},
    {"transformers-js", [](const Path& f) { fs::remove(f / "onnx/embed_tokens_q4.onnx"); }, "onnx/embed_tokens_q4.onnx", "missing"},
    {"transformers-js", [](const Path& f) { edit(f / "config.json", "/image_token_index", -200); }, "config.json",
     "image_token_index is -200"},
    {"transformers-js", [](const Path& f) { rename_token(f / "tokenizer.json", "<image>", "<picture>"); }, "tokenizer.json",
     "not among added_tokens"},
    {"transformers-js", [](const Path& f) { edit(f / "config.json", "/model_type", "fast_vlm"); }, "config.json", "llava_qwen2"},
    {"transformers-js", [](const Path& f) { edit(f / "tokenizer_config.json", "/chat_template", ""); }, "tokenizer_config.json",
     "no chat_template"},
    {"transformers-js", [](const Path& f) { fs::remove(f / "onnx/decoder_model_merged.onnx_data"); }, "onnx/decoder_model_merged.onnx_data",
     "announces this chunk"},
    {"transformers-js", [](const Path& f) { edit(f / "config.json", "/transformers.js_config/use_external_data_format", Json::object()); },
     "onnx/vision_encoder.onnx_data", "does not announce"},
    {"transformers-js",
     [](const Path& f) { swap_names(f / "onnx/decoder_model_merged.onnx", "past_key_values.0.key", "past_key_values.1.key"); },
     "onnx/decoder_model_merged.onnx", "clients bind by this order"},
    {"transformers-js", [](const Path& f) { edit(f / "config.json", "/num_key_value_heads", 7); }, "onnx/decoder_model_merged.onnx",
     "by the config it is"},
    {"onnxruntime-genai", [](const Path& f) { fs::remove(f / "genai_processor_config.json"); }, "genai_processor_config.json", "missing"},
    {"onnxruntime-genai", [](const Path& f) { fs::remove(f / "onnx/genai_embedding.onnx"); }, "onnx/genai_embedding.onnx", "missing"},
    {"onnxruntime-genai", [](const Path& f) { rename_token(f / "genai/tokenizer.json", "<|image_pad|>", "<image>"); },
     "genai/tokenizer.json", "not among added_tokens"},
    {"onnxruntime-genai",
     [](const Path& f) {
       Json json = Json::parse(bytes_of(f / "genai/tokenizer.json"));
       for (Json& token : json.at("added_tokens"))
         if (token.at("content") == "<|image_pad|>") token["id"] = 5;
       replace_bytes(f / "genai/tokenizer.json", json.dump());
     },
     "genai/tokenizer.json", "looks for"},
    {"onnxruntime-genai", [](const Path& f) { fs::remove(f / "onnx/vision_encoder.onnx_data"); }, "onnx/genai_vision_encoder.onnx",
     "vision_encoder.onnx_data"},
    {"onnxruntime-genai",
     [](const Path& f) { swap_names(f / "onnx/decoder_model_merged.onnx", "past_key_values.0.key", "past_key_values.1.key"); },
     "onnx/decoder_model_merged.onnx", "clients bind by this order"},
    {"onnxruntime-genai", [](const Path& f) { edit(f / "genai_config.json", "/model/vision/num_visual_tokens", 256); },
     "onnx/genai_vision_encoder.onnx", "image tokens"},
    {"onnxruntime-genai", [](const Path& f) { edit(f / "genai_config.json", "/model/vocab_size", 12); }, "onnx/decoder_model_merged.onnx",
     "by the config it is"},
};

TEST(VerifyLayout, PassesWhatWasExported) {
  expect_all_pass(exported(), kBoth);
  EXPECT_GE(std::ranges::count(verify_layouts(exported(), kBoth)->rows, "graph", &VerifyRow::check), 10);
}

TEST(VerifyLayout, NamesEachDamageInOneSentence) { expect_each_is_named(exported(), kDamages); }

TEST(VerifyLayout, AnotherByteInTheWeightsIsSeenByTheHashes) {
  const FolderForTests folder;
  const Path copy = folder.path() / "copy";
  fs::copy(exported(), copy, fs::copy_options::recursive);
  std::string bytes = bytes_of(copy / "onnx/embed_tokens.onnx_data");
  bytes[7] = static_cast<char>(bytes[7] ^ 1);
  replace_bytes(copy / "onnx/embed_tokens.onnx_data", bytes);
  const auto report = verify_layouts(copy, kBoth);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->count(Outcome::kMissed), 1);
  EXPECT_FALSE(report->passed());
}

TEST(VerifyLayout, RefusesAFolderThatIsNotThereAndALayoutThatItDoesNotKnow) {
  const auto nowhere = verify_layouts("/nowhere/at/all", kBoth);
  ASSERT_FALSE(nowhere.ok());
  EXPECT_EQ(nowhere.error().kind, ErrorKind::kBadInput);
  const auto unknown = verify_layouts(exported(), {"onnx"});
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().kind, ErrorKind::kUsage);
}

TEST(VerifyLayout, SharesTheWeightsOfTheTwoLayouts) {
  std::vector<std::string> data;
  for (const auto& entry : fs::directory_iterator(exported() / "onnx"))
    if (entry.path().extension() == ".onnx_data") data.push_back(entry.path().filename().string());
  EXPECT_EQ(data.size(), 6u);  // three graphs in two variants
}

}  // namespace
}  // namespace fastvlm::clients
