// Checkpoints as people have them: what is honoured, what is said about it, and what is refused by name.
#include "fastvlm/export/edited_checkpoint_for_tests.h"
#include "fastvlm/verify/verify.h"

namespace fastvlm {
namespace {

namespace fs = std::filesystem;

Result<std::unique_ptr<PreparedExport>> prepared(const Path& folder) { return prepare_export({.model_dir = folder, .image_size = 128}); }

struct Case {
  const char* title;
  const char* golden;
  void (*change)(EditedCheckpoint& checkpoint);
  const char* part;  // of the finding, or of the refusal
  bool refused = false;
};

#define SET(key, ...) [](EditedCheckpoint& c) { c.edit([](Json& j) { j[key] = __VA_ARGS__; }); }
#define SET_TEXT(key, ...) [](EditedCheckpoint& c) { c.edit([](Json& j) { j["text_config"][key] = __VA_ARGS__; }); }
#define SET_ARGS(key, ...) [](EditedCheckpoint& c) { c.edit([](Json& j) { j["vision_config"]["model_args"][key] = __VA_ARGS__; }); }
#define ERASE(key) [](EditedCheckpoint& c) { c.edit([](Json& j) { j.erase(key); }); }
#define ADD(name, ...) [](EditedCheckpoint& c) { c.add(name, __VA_ARGS__, 1); }

constexpr const char* kApple = "apple-tied";
constexpr const char* kHf = "hf-untied-sharded";

const Case kCases[] = {
    // ---- defaults of the reference, each with a finding
    {"no rope_theta", kApple, ERASE("rope_theta"), "rope_theta; the default of transformers, 10000"},
    {"no rope_theta in the new form", kHf, SET_TEXT("rope_parameters", {{"rope_type", "default"}}), "rope_theta; the default"},
    {"a layer for the CLIP tower", kApple, SET("mm_vision_select_layer", -1), "mm_vision_select_layer = -1 changes nothing"},
    {"a feature for the CLIP tower", kApple, SET("mm_vision_select_feature", "cls_patch"),
     "mm_vision_select_feature = \"cls_patch\" changes nothing"},
    {"no rms_norm_eps", kApple, ERASE("rms_norm_eps"), "rms_norm_eps; the default of transformers, 1e-06"},
    {"no max_position_embeddings", kApple, ERASE("max_position_embeddings"), "max_position_embeddings; the default of transformers, 32768"},
    {"no tie_word_embeddings", kApple, ERASE("tie_word_embeddings"), "the stored lm_head.weight is the head"},
    {"no image_aspect_ratio", kApple, ERASE("image_aspect_ratio"), "cropped to a square, as LLaVA does"},
    {"image_aspect_ratio null", kApple, SET("image_aspect_ratio", nullptr), "cropped to a square, as LLaVA does"},
    {"patch token", kApple, SET("mm_use_im_patch_token", true), "mm_use_im_patch_token"},
    {"pinpoints that nobody reads", kApple, SET("image_grid_pinpoints", {{256, 512}}), "image_grid_pinpoints is not used"},
    {"fewer layers than stored", kApple, SET("num_hidden_layers", 1), "num_hidden_layers = 1; the tensors of 1 further layers"},
    {"head that is tied and stored differently", kHf, SET("tie_word_embeddings", true), "both are kept, as transformers does"},
    {"biases of another trainer", kApple,
     [](EditedCheckpoint& c) { std::erase_if(c.tensors, [](const NamedTensor& t) { return t.name.ends_with("k_proj.bias"); }); },
     "2 of 6 biases"},
    {"newline of tiled pictures", kApple, ADD("model.image_newline", {64}), "model.image_newline\" belongs to no part"},
    {"zeros to the end", kApple,
     [](EditedCheckpoint& c) {
       // The tensor that lies last in the file.
       std::ranges::fill(c.tensor("model.vision_tower.vision_tower.model.patch_embed.2.reparam_conv.weight").tensor.bytes, std::byte{0});
     },
     "ends with zeros"},
    {"optimizer", kApple, ADD("optimizer.state", {2}), "optimizer.state\" belongs to no part"},
    // ---- prefixes
    {"module.", kApple, [](EditedCheckpoint& c) { c.rename([](auto& n) { return "module." + n; }); }, "\"module.\" of 150 tensor names"},
    {"_orig_mod.", kHf, [](EditedCheckpoint& c) { c.rename([](auto& n) { return "_orig_mod." + n; }); }, "prefix \"_orig_mod.\""},
    {"base_model.model.", kHf, [](EditedCheckpoint& c) { c.rename([](auto& n) { return "base_model.model." + n; }); },
     "prefix \"base_model.model.\""},
    {"three of them", kApple, [](EditedCheckpoint& c) { c.rename([](auto& n) { return "module._orig_mod.base_model.model." + n; }); },
     "prefix \"module._orig_mod.base_model.model.\""},
    {"a prefix that nobody knows", kApple, [](EditedCheckpoint& c) { c.rename([](auto& n) { return "student." + n; }); },
     "\"student.model.embed_tokens.weight\" is there, whose prefix is not known", true},
    {"something else altogether", kApple, [](EditedCheckpoint& c) { c.rename([](auto& n) { return fmt::format("t{}", n.size()) + n; }); },
     "is there, whose prefix", true},
    // ---- another model
    {"qwen3 by its name", kHf, SET_TEXT("model_type", "qwen3"), "model_type of text_config = \"qwen3\"", true},
    {"llama by its name", kHf, SET_TEXT("model_type", "llama"), "model_type of text_config = \"llama\"", true},
    {"query norms", kHf, ADD("model.language_model.layers.0.self_attn.q_norm.weight", {16}), "Qwen3 does", true},
    {"key norms", kApple, ADD("model.layers.1.self_attn.k_norm.weight", {16}), "Qwen3 does", true},
    {"o_proj.bias", kApple, ADD("model.layers.0.self_attn.o_proj.bias", {64}), "Qwen2 has no bias there", true},
    {"mlp bias", kApple, ADD("model.layers.1.mlp.down_proj.bias", {64}), "Qwen2 has no bias there", true},
    {"norm bias", kApple, ADD("model.norm.bias", {64}), "Qwen2 has no bias there", true},
    {"lm_head.bias", kHf, ADD("lm_head.bias", {512}), "Qwen2 has no bias there", true},
    {"a third norm", kApple, ADD("model.layers.0.pre_feedforward_layernorm.weight", {64}), "has no place in the model", true},
    {"experts", kApple, ADD("model.layers.0.mlp.experts.0.up_proj.weight", {4, 4}), "has no place in the model", true},
    {"learned positions", kApple, ADD("model.embed_positions.weight", {4, 64}), "has no place in the model", true},
    {"a bias in the tower", kApple, ADD("model.vision_tower.vision_tower.model.network.7.0.token_mixer.qkv.bias", {192}),
     "no part of the model takes it", true},
    {"a third layer of the projector", kApple, ADD("model.mm_projector.4.weight", {64, 64}), "has no place in the model", true},
    {"a linear projector", kApple, ADD("model.mm_projector.weight", {64, 256}), "has no place in the model", true},
    {"a resampler", kApple, ADD("model.vision_resampler.proj.weight", {4, 4}), "has no place in the model", true},
    // ---- settings
    {"hidden_act", kApple, SET("hidden_act", "gelu"), "hidden_act = \"gelu\"", true},
    {"sliding window", kApple, SET("use_sliding_window", true), "use_sliding_window = true", true},
    {"sliding layers", kHf, SET_TEXT("layer_types", {"full_attention", "sliding_attention", "full_attention"}), "layer_types", true},
    {"yarn", kApple, SET("rope_scaling", {{"type", "yarn"}, {"factor", 4.0}}), "rope_scaling", true},
    {"linear scaling", kApple, SET("rope_scaling", {{"rope_type", "linear"}, {"factor", 2.0}}), "rope_scaling", true},
    {"scaling in the new form", kHf, SET_TEXT("rope_parameters", {{"rope_type", "dynamic"}, {"rope_theta", 1e6}, {"factor", 2.0}}),
     "rope_parameters", true},
    {"sections of positions", kApple, SET("rope_scaling", {{"type", "default"}, {"mrope_section", {16, 24, 24}}}), "rope_scaling", true},
    {"marker tokens", kApple, SET("mm_use_im_start_end", true), "mm_use_im_start_end = true", true},
    {"anyres", kApple, SET("image_aspect_ratio", "anyres"), "image_aspect_ratio = \"anyres\"", true},
    {"anyres_max_9", kApple, SET("image_aspect_ratio", "anyres_max_9"), "image_aspect_ratio = \"anyres_max_9\"", true},
    {"mlp3x_gelu", kApple, SET("mm_projector_type", "mlp3x_gelu"), "mm_projector_type = \"mlp3x_gelu\"", true},
    {"tanh gelu", kHf, SET("projector_hidden_act", "gelu_pytorch_tanh"), "projector_hidden_act", true},
    {"no projector bias", kHf, SET("multimodal_projector_bias", false), "multimodal_projector_bias = false", true},
    {"another feature layer", kHf, SET("vision_feature_layer", -2), "vision_feature_layer = -2", true},
    {"another feature choice", kHf, SET("vision_feature_select_strategy", "default"), "vision_feature_select_strategy", true},
    {"unpad", kApple, SET("mm_patch_merge_type", "spatial_unpad"), "mm_patch_merge_type", true},
    {"another tower", kApple, SET("mm_vision_tower", "openai/clip-vit-large-patch14-336"), "mm_vision_tower", true},
    {"another fastvit", kHf, [](EditedCheckpoint& c) { c.edit([](Json& j) { j["vision_config"]["architecture"] = "fastvit_mci2"; }); },
     "architecture = \"fastvit_mci2\"", true},
    {"no activation", kHf, SET_ARGS("lkc_use_act", false), "lkc_use_act = false", true},
    {"squeeze-excite between stages", kHf, SET_ARGS("se_downsamples", {false, true, false, false, false}), "se_downsamples", true},
    {"other mixers", kHf, SET_ARGS("token_mixers", {"repmixer", "repmixer", "attention", "attention", "attention"}), "token_mixers", true},
    {"an argument that nobody knows", kHf, SET_ARGS("window_size", 7), "window_size = 7", true},
    {"more layers than stored", kApple, SET("num_hidden_layers", 3), "num_hidden_layers = 3, but the files hold the layers 0 to 1", true},
    {"heads that contradict", kApple, SET("num_attention_heads", 2), "num_key_value_heads = 2", true},
    {"a head size that contradicts", kHf, SET_TEXT("head_dim", 32), "head_dim = 32", true},
    // ---- quantised forms
    {"bitsandbytes", kApple, SET("quantization_config", {{"quant_method", "bitsandbytes"}, {"load_in_4bit", true}}), "(bitsandbytes)",
     true},
    {"gptq", kApple, SET("quantization_config", {{"quant_method", "gptq"}}), "(gptq)", true},
    {"awq", kHf, SET_TEXT("quantization_config", {{"quant_method", "awq"}}), "(awq)", true},
    {"fp8", kApple, SET("quantization_config", {{"quant_method", "fp8"}}), "(fp8)", true},
    {"mlx 4 bit", kApple, SET("quantization", {{"group_size", 64}, {"bits", 4}}), "MLX quantised", true},
    {"mlx by its tensors", kApple, ADD("model.layers.0.mlp.up_proj.scales", {128, 1}), "an MLX quantised", true},
    {"bitsandbytes by its tensors", kApple, ADD("model.layers.0.mlp.up_proj.weight.absmax", {4}), "bitsandbytes 4-bit", true},
    {"int8 by its tensors", kApple, ADD("model.layers.0.mlp.up_proj.SCB", {4}), "bitsandbytes 8-bit", true},
    {"fp8 by its tensors", kApple, ADD("model.layers.0.mlp.up_proj.weight_scale_inv", {1, 1}), "fp8", true},
    {"gptq by its tensors", kApple, ADD("model.layers.0.mlp.up_proj.g_idx", {4}), "GPTQ", true},
    {"lora inside", kApple, ADD("model.layers.0.mlp.up_proj.lora_A.weight", {4, 64}), "`base_model`", true},
};

std::ostream& operator<<(std::ostream& out, const Case& row) { return out << row.title; }
class CheckpointCase : public testing::TestWithParam<Case> {};

TEST_P(CheckpointCase, IsHonouredWithAFindingOrRefusedByName) {
  FolderForTests folder;
  EditedCheckpoint checkpoint(folder.path() / "checkpoint", GetParam().golden);
  GetParam().change(checkpoint);
  checkpoint.save();
  auto result = prepared(checkpoint.path());
  EXPECT_EQ(result.ok(), !GetParam().refused) << (result.ok() ? "exported" : result.error().message);
  if (result.ok()) {
    EXPECT_TRUE(mentions((*result)->findings, GetParam().part)) << fmt::format("{}", Json((*result)->findings).dump());
    return;
  }
  EXPECT_EQ(result.error().kind, ErrorKind::kBadInput);
  EXPECT_NE(result.error().message.find(GetParam().part), std::string::npos) << result.error().message;
  EXPECT_NE(result.error().message.find(folder.path().string()), std::string::npos) << result.error().message;
}
INSTANTIATE_TEST_SUITE_P(Checkpoints, CheckpointCase, testing::ValuesIn(kCases));

// ---- The right values -----------------------------------------------------------------------------------------------------

TEST(CheckpointCases, ARopeOfTheDefaultTypeIsNoScaling) {
  for (const Json& rope : {Json{{"rope_type", "default"}}, Json{{"type", "default"}}, Json{{"type", "default"}, {"rope_theta", 1e6}}}) {
    FolderForTests folder;
    EditedCheckpoint checkpoint(folder.path() / "checkpoint", kApple);
    checkpoint.edit([&](Json& j) { j["rope_scaling"] = rope; });
    checkpoint.save();
    auto result = prepared(checkpoint.path());
    ASSERT_TRUE(result.ok()) << result.error().message;
    EXPECT_EQ((*result)->config.text.rope_theta, 1e6);
  }
}

TEST(CheckpointCases, AMissingThetaIsThatOfTransformersAndReachesTheGraph) {
  FolderForTests folder;
  EditedCheckpoint checkpoint(folder.path() / "checkpoint", kApple);
  checkpoint.edit([](Json& j) { j.erase("rope_theta"); });
  checkpoint.save();
  auto result = prepared(checkpoint.path());
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ((*result)->config.text.rope_theta, 10000);
}

TEST(CheckpointCases, AHeadThatDiffersIsKeptByTransformersAndReplacedByApple) {
  FolderForTests folder;
  EditedCheckpoint hf(folder.path() / "hf", kHf);
  hf.edit([](Json& j) { j["tie_word_embeddings"] = true; });
  hf.save();
  auto kept = prepared(hf.path());
  ASSERT_TRUE(kept.ok()) << kept.error().message;
  EXPECT_FALSE((*kept)->config.text.tie_word_embeddings);

  // Equal ones are one, whatever the dialect.
  hf.tensor("lm_head.weight").tensor = hf.tensor("model.language_model.embed_tokens.weight").tensor;
  hf.save();
  auto equal = prepared(hf.path());
  ASSERT_TRUE(equal.ok()) << equal.error().message;
  EXPECT_TRUE((*equal)->config.text.tie_word_embeddings);

  EditedCheckpoint apple(folder.path() / "apple", kApple);
  apple.tensor("lm_head.weight").tensor.bytes[0] ^= std::byte{1};
  apple.save();
  auto replaced = prepared(apple.path());
  ASSERT_TRUE(replaced.ok()) << replaced.error().message;
  EXPECT_TRUE((*replaced)->config.text.tie_word_embeddings);
  EXPECT_TRUE(mentions((*replaced)->findings, "differs from embed_tokens"));
}

std::map<std::string, std::string> weight_files(const Path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".data") || name.ends_with(".bin") || name.ends_with(".onnx")) files[name] = text_of(entry.path());
  }
  return files;
}

TEST(CheckpointCases, PrefixesAndTheOrderOfMlxChangeNoByteOfTheExport) {
  FolderForTests folder;
  export_or_fail(golden_export(kApple, folder.path() / "plain", 128));
  const auto expected = weight_files(folder.path() / "plain");
  ASSERT_GT(expected.size(), 5u);

  EditedCheckpoint prefixed(folder.path() / "prefixed", kApple);
  prefixed.rename([](const std::string& name) { return "module._orig_mod." + name; });
  prefixed.save();
  export_or_fail({.model_dir = prefixed.path(), .output_dir = folder.path() / "out-prefixed", .image_size = 128, .threads = 2});
  EXPECT_EQ(weight_files(folder.path() / "out-prefixed"), expected);

  // As mlx-vlm converts: its names, kernels as [out, height, width, in], layer scales as [1, 1, channels], no counters.
  EditedCheckpoint mlx(folder.path() / "mlx", kApple);
  std::erase_if(mlx.tensors, [](const NamedTensor& t) { return t.name.ends_with("num_batches_tracked"); });
  for (auto& [name, tensor] : mlx.tensors) {
    const std::string tower = "model.vision_tower.vision_tower.model.";
    if (!name.starts_with(tower)) {
      name = name.starts_with("model.mm_projector") ? name.substr(6) : "language_model." + name;
      continue;
    }
    name = "vision_tower.vision_model." + name.substr(tower.size());
    if (auto at = name.find("patch_embed."); at != std::string::npos) name.insert(at + 12, "blocks.");
    Shape& s = tensor.shape;
    if (s.size() == 3) s = {1, 1, s[0]};
    if (s.size() != 4) continue;
    const std::int64_t in = s[1], taps = s[2] * s[3];
    std::vector<std::byte> turned(tensor.bytes.size());
    for (std::int64_t o = 0; o < s[0]; ++o)
      for (std::int64_t i = 0; i < in; ++i)
        for (std::int64_t t = 0; t < taps; ++t)
          std::copy_n(tensor.bytes.begin() + ((o * in + i) * taps + t) * 2, 2, turned.begin() + ((o * taps + t) * in + i) * 2);
    tensor.bytes = turned;
    s = {s[0], s[2], s[3], in};
  }
  mlx.save();
  auto report = export_or_fail({.model_dir = mlx.path(), .output_dir = folder.path() / "out-mlx", .image_size = 128, .threads = 2});
  EXPECT_TRUE(mentions(report.findings, "channels last"));
  EXPECT_EQ(weight_files(folder.path() / "out-mlx"), expected);
}

TEST(CheckpointCases, TheSingleFileIsTheModelAndOldShardsAreNot) {
  FolderForTests folder;
  EditedCheckpoint checkpoint(folder.path() / "checkpoint", kApple);
  Json map = Json::object();
  for (const NamedTensor& tensor : checkpoint.tensors) map[tensor.name] = "model-00001-of-00001.safetensors";
  checkpoint.write("model.safetensors.index.json", Json{{"weight_map", map}}.dump());
  checkpoint.save("model-00001-of-00001.safetensors");
  auto& table = checkpoint.tensor("model.embed_tokens.weight").tensor;
  table = Tensor::of_floats(table.shape, std::vector<float>(static_cast<std::size_t>(table.size()), 0.5F));
  checkpoint.save();
  auto result = prepared(checkpoint.path());
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_TRUE(mentions((*result)->findings, "model-00001-of-00001.safetensors, model.safetensors.index.json"));
  std::vector<float> row(static_cast<std::size_t>((*result)->config.text.hidden_size));
  ASSERT_TRUE((*result)->embedding->read_rows(7, 8, row).ok());
  EXPECT_EQ(row[3], 0.5F);
}

TEST(CheckpointCases, ATensorThatTheIndexDoesNotListIsReadFromItsShard) {
  FolderForTests folder;
  EditedCheckpoint checkpoint(folder.path() / "checkpoint", kHf);
  Json map = Json::object();
  for (const NamedTensor& tensor : checkpoint.tensors)
    if (tensor.name != "lm_head.weight") map[tensor.name] = "model-00001-of-00001.safetensors";
  checkpoint.write("model.safetensors.index.json", Json{{"weight_map", map}}.dump());
  auto& head = checkpoint.tensor("lm_head.weight").tensor;
  head = Tensor::of_floats(head.shape, std::vector<float>(static_cast<std::size_t>(head.size()), 0.5F));
  checkpoint.save("model-00001-of-00001.safetensors");
  auto opened = Checkpoint::open(checkpoint.path());
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  ASSERT_NE(opened->find("lm_head.weight"), nullptr);
  EXPECT_EQ(opened->read(*opened->find("lm_head.weight"))->front(), 0.5F);
  auto result = prepared(checkpoint.path());
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_TRUE(mentions((*result)->findings, "\"lm_head.weight\" is not listed in the index, but its shard is"));

  map["model.extra"] = "model-00002-of-00002.safetensors";
  checkpoint.write("model.safetensors.index.json", Json{{"weight_map", map}}.dump());
  checkpoint.save("model-00002-of-00002.safetensors");
  auto twice = Checkpoint::open(checkpoint.path());
  ASSERT_FALSE(twice.ok());
  EXPECT_NE(twice.error().message.find("which the index says is in"), std::string::npos) << twice.error().message;
}

TEST(CheckpointCases, AProjectorSavedApartIsTakenAndAnOldOneIsNot) {
  FolderForTests folder;
  EditedCheckpoint checkpoint(folder.path() / "checkpoint", kApple);
  EditedCheckpoint apart(folder.path() / "apart", kApple);
  const auto is_projector = [](const NamedTensor& t) { return t.name.find("mm_projector") != std::string::npos; };
  std::erase_if(apart.tensors, [&](const NamedTensor& t) { return !is_projector(t); });
  checkpoint.save();
  EXPECT_TRUE(write_safetensors(checkpoint.path() / "mm_projector.safetensors", apart.tensors, {}).ok());
  auto both = prepared(checkpoint.path());
  ASSERT_TRUE(both.ok()) << both.error().message;
  EXPECT_TRUE(mentions((*both)->findings, "passed over, as transformers does: mm_projector.safetensors"));

  std::erase_if(checkpoint.tensors, is_projector);
  checkpoint.save();
  auto taken = prepared(checkpoint.path());
  ASSERT_TRUE(taken.ok()) << taken.error().message;
  EXPECT_TRUE(mentions((*taken)->findings, "the projector is taken from mm_projector.safetensors"));
}

// ---- Tokens -----------------------------------------------------------------------------------------------------------------

TEST(CheckpointCases, EveryEndTokenOfBothConfigsIsInTheManifest) {
  struct Row {
    Json config, generation;
    std::vector<std::int64_t> ids;
  };
  const Row rows[] = {{Json::array({450, 157}), nullptr, {450, 157}},
                      {450, Json{{"eos_token_id", Json::array({450, 448})}}, {450, 448}},
                      {nullptr, Json{{"eos_token_id", 449}}, {449}},
                      {450, Json{{"eos_token_id", nullptr}}, {450}},
                      {Json::array({450, -200, 99999}), nullptr, {450}}};
  for (const Row& row : rows) {
    FolderForTests folder;
    EditedCheckpoint checkpoint(folder.path() / "checkpoint", kApple);
    checkpoint.edit([&](Json& j) { j["eos_token_id"] = row.config; });
    if (!row.generation.is_null()) checkpoint.write("generation_config.json", row.generation.dump());
    checkpoint.save();
    export_or_fail({.model_dir = checkpoint.path(), .output_dir = folder.path() / "out", .image_size = 128, .threads = 2});
    const auto manifest = read_manifest(folder.path() / "out");
    ASSERT_TRUE(manifest.ok()) << manifest.error().message;
    EXPECT_EQ(manifest->prompt.stop_token_ids, row.ids) << row.config.dump();
  }
  FolderForTests folder;
  EditedCheckpoint checkpoint(folder.path() / "checkpoint", kApple);
  checkpoint.edit([](Json& j) { j["eos_token_id"] = "<|im_end|>"; });
  checkpoint.save();
  auto refused = prepared(checkpoint.path());
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("eos_token_id must be a number or a list of numbers"), std::string::npos);
}

// The table cut to the base tokens, and a token behind its end.
TEST(CheckpointCases, ATokenWithoutARowIsSaidAtOnceAndVerifyFails) {
  FolderForTests folder;
  EditedCheckpoint checkpoint(folder.path() / "checkpoint", kApple);
  for (const char* name : {"model.embed_tokens.weight", "lm_head.weight"}) {
    Tensor& table = checkpoint.tensor(name).tensor;
    table.bytes.resize(table.bytes.size() / static_cast<std::size_t>(table.shape[0]) * 451);
    table.shape[0] = 451;
  }
  checkpoint.edit([](Json& j) { j["vocab_size"] = 451; });
  checkpoint.save();
  const auto without = prepared(checkpoint.path());
  ASSERT_TRUE(without.ok()) << without.error().message;
  EXPECT_FALSE(mentions((*without)->findings, "embedding table"));

  checkpoint.edit([](Json& j) { j["<seg>"] = 451; }, "added_tokens.json");
  const ExportReport report = export_or_fail({.model_dir = checkpoint.path(), .output_dir = folder.path() / "out", .image_size = 128});
  EXPECT_TRUE(mentions(report.findings, "the token \"<seg>\" has the id 451, but the embedding table has 451 rows"));
  Progress silent;
  auto verified = verify({.output_dir = folder.path() / "out"}, silent);
  ASSERT_TRUE(verified.ok()) << verified.error().message;
  EXPECT_FALSE(verified->passed());
}

}  // namespace
}  // namespace fastvlm
