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

// The bytes of a number in a protobuf message, behind its tag.
void set_ir(const Path& file, char version) {
  std::string bytes = bytes_of(file);
  ASSERT_EQ(bytes[0], '\x08');  // ir_version is written first
  bytes[1] = version;
  replace_bytes(file, bytes);
}

void set_opset(const Path& file, char version) {
  std::string bytes = bytes_of(file);
  ASSERT_EQ(bytes[bytes.size() - 2], '\x10');  // the version of the last import is written last
  bytes.back() = version;
  replace_bytes(file, bytes);
}

constexpr const char* kPreprocessor = "preprocessor_config.json";
constexpr const char* kGenaiProcessor = "genai_processor_config.json";
const std::string kChunks = "/transformers.js_config/use_external_data_format";
const std::string kDecoder = "/model/decoder";
const std::string kResize = "/processor/transforms/1/operation/attrs";

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
    {"transformers-js", [](const Path& f) { edit(f / "config.json", kChunks + "/decoder_model_merged.onnx", 2); },
     "onnx/decoder_model_merged.onnx_data_1", "announces this chunk"},
    {"transformers-js", [](const Path& f) { edit(f / "config.json", kChunks + "/decoder_model_merged.onnx", 101); },
     "onnx/decoder_model_merged.onnx_data", "opens 100 at most"},
    {"transformers-js", [](const Path& f) { edit(f / "config.json", kChunks, false); }, "onnx/embed_tokens.onnx_data", "does not announce"},
    {"transformers-js", [](const Path& f) { edit(f / kPreprocessor, "/crop_size", 256); }, kPreprocessor,
     "crop_size is 256, but the graph"},
    {"transformers-js", [](const Path& f) { edit(f / kPreprocessor, "/size", Json{{"shortest_edge", 512}, {"longest_edge", 512}}); },
     kPreprocessor, "takes pictures of 128 by 128"},
    {"transformers-js", [](const Path& f) { edit(f / kPreprocessor, "/do_center_crop", false), edit(f / kPreprocessor, "/size", 64); },
     kPreprocessor, "size is 64, but the graph"},
    {"transformers-js", [](const Path& f) { edit(f / kPreprocessor, "/do_rescale", false); }, kPreprocessor, "do_rescale is false"},
    {"transformers-js", [](const Path& f) { edit(f / kPreprocessor, "/processor_class", "Foo"); }, kPreprocessor, "processor_class is"},
    {"transformers-js", [](const Path& f) { edit(f / "processor_config.json", "/patch_size", 32); }, "processor_config.json",
     "do not make the 4 places"},
    {"transformers-js", [](const Path& f) { edit(f / "processor_config.json", "/image_token", "<img>"); }, "processor_config.json",
     "image_token is \"<img>\""},
    {"transformers-js", [](const Path& f) { edit(f / "config.json", "/transformers.js_config/kv_cache_dtype", "float16"); }, "config.json",
     "the cache of the decoder is float32"},
    {"transformers-js", [](const Path& f) { edit(f / "config.json", "/num_attention_heads", 8); }, "config.json", "8 heads of 16 are 128"},
    {"transformers-js", [](const Path& f) { edit(f / "config.json", "/eos_token_id", 449); }, "config.json", "no reply would end"},
    {"transformers-js", [](const Path& f) { edit(f / "generation_config.json", "/eos_token_id", 449); }, "generation_config.json",
     "no reply would end"},
    {"transformers-js", [](const Path& f) { swap_names(f / "onnx/decoder_model_merged.onnx", "Transpose", "Transpuse"); },
     "onnx/decoder_model_merged.onnx", "an operator \"Transpuse\""},
    {"transformers-js", [](const Path& f) { set_opset(f / "onnx/embed_tokens.onnx", 23); }, "onnx/embed_tokens.onnx", "is of opset 23"},
    {"transformers-js", [](const Path& f) { set_ir(f / "onnx/embed_tokens.onnx", 13); }, "onnx/embed_tokens.onnx", "is of IR version 13"},
    {"onnxruntime-genai", [](const Path& f) { edit(f / "genai_config.json", kDecoder + "/inputs/past_key_names", "past.%d"); },
     "genai_config.json", "past_key_names is \"past.%d\""},
    {"onnxruntime-genai", [](const Path& f) { edit(f / "genai_config.json", "/search/past_present_share_buffer", true); },
     "genai_config.json", "cannot be one buffer"},
    {"onnxruntime-genai", [](const Path& f) { edit(f / "genai_config.json", "/model/eos_token_id", 3); }, "genai_config.json",
     "no reply would end"},
    {"onnxruntime-genai", [](const Path& f) { edit(f / "genai_config.json", kDecoder + "/num_attention_heads", 8); }, "genai_config.json",
     "8 heads of 16 are 128"},
    {"onnxruntime-genai", [](const Path& f) { edit(f / kGenaiProcessor, kResize + "/width", 256); }, kGenaiProcessor,
     "makes pictures of 256 by 128 pixels"},
    {"onnxruntime-genai",
     [](const Path& f) {
       Json json = Json::parse(bytes_of(f / kGenaiProcessor));
       json["processor"]["transforms"].erase(2);
       replace_bytes(f / kGenaiProcessor, json.dump());
     },
     kGenaiProcessor, "no step Rescale"},
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

// The client takes a number or a boolean for all graphs, and names with or without the variant.
TEST(VerifyLayout, PassesEveryWayOfAnnouncingChunks) {
  const Json by_session = {{"vision_encoder", true}, {"embed_tokens", 1}, {"decoder_model_merged", 1}};
  for (const Json& said : {Json(true), Json(1), by_session}) {
    const FolderForTests folder;
    const Path copy = folder.path() / "copy";
    fs::copy(exported(), copy, fs::copy_options::recursive);
    fs::remove(copy / "layouts.json");
    edit(copy / "config.json", kChunks, said);
    const auto report = verify_layouts(copy, {"transformers-js"});
    ASSERT_TRUE(report.ok());
    EXPECT_TRUE(report->passed()) << said.dump();
  }
}

// One layout has looked at the decoder before; the sizes of the other are compared all the same.
TEST(VerifyLayout, LooksAtASharedGraphWithTheSizesOfEachLayout) {
  const FolderForTests folder;
  const Path copy = folder.path() / "copy";
  fs::copy(exported(), copy, fs::copy_options::recursive);
  fs::remove(copy / "layouts.json");
  edit(copy / "genai_config.json", kDecoder + "/num_hidden_layers", 5);
  const auto report = verify_layouts(copy, kBoth);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->count(Outcome::kMissed), 1);
}

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
