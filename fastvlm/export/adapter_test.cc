// LoRA adapters over a base model: the weights that come out are W + scale · B · A, wherever they are read.
#include <cmath>

#include "fastvlm/export/edited_checkpoint_for_tests.h"
#include "fastvlm/verify/verify.h"

namespace fastvlm {
namespace {

namespace fs = std::filesystem;

std::vector<float> waves(std::int64_t count, double step) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(0.2 * std::sin(step * static_cast<double>(i + 1)));
  return values;
}

// An adapter folder in the making.
struct Adapter {
  explicit Adapter(Path where) : folder(std::move(where)) { fs::create_directories(folder); }

  void tensor(std::string name, Shape shape, double step) {
    const auto values = waves(element_count(shape), step);
    tensors.push_back({std::move(name), Tensor::of_floats(std::move(shape), values)});
  }
  // A pair of factors for a module of [out, in].
  void pair(const std::string& module, std::int64_t out, std::int64_t in, std::int64_t rank, const std::string& name = "") {
    tensor("base_model.model." + module + ".lora_A" + name + ".weight", {rank, in}, 0.7);
    tensor("base_model.model." + module + ".lora_B" + name + ".weight", {out, rank}, 1.1);
  }
  // The same in whole numbers of 8 bits.
  void int8(const std::string& module, std::int64_t out, std::int64_t in) {
    tensors.push_back({"base_model.model." + module + ".lora_A.weight", Tensor::zeros(Dtype::kInt8, {4, in})});
    tensors.push_back({"base_model.model." + module + ".lora_B.weight", Tensor::zeros(Dtype::kInt8, {out, 4})});
  }
  void save() const {
    write_text(folder / "adapter_config.json", config.dump());
    EXPECT_TRUE(write_safetensors(folder / "adapter_model.safetensors", tensors, {{"format", "pt"}}).ok());
  }

  Path folder;
  Json config = {{"peft_type", "LORA"}, {"r", 4}, {"lora_alpha", 6}, {"base_model_name_or_path", "apple/FastVLM-0.5B"}};
  std::vector<NamedTensor> tensors;
};

std::vector<float> numbers(const Checkpoint& checkpoint, const std::string& name) {
  const CheckpointTensor* tensor = checkpoint.find(name);
  EXPECT_NE(tensor, nullptr) << name;
  return tensor == nullptr ? std::vector<float>() : checkpoint.weight(*tensor)->read_all().value();
}

// W + scale · B · A in double precision.
void expect_sum(const Checkpoint& base, const Checkpoint& merged, const std::string& module, std::int64_t rank, double scale) {
  const Shape shape = base.find(module + ".weight")->shape;
  const auto w = numbers(base, module + ".weight"), sum = numbers(merged, module + ".weight");
  const auto a = waves(rank * shape[1], 0.7), b = waves(shape[0] * rank, 1.1);
  double change = 0;
  for (std::int64_t r = 0; r < shape[0]; ++r)
    for (std::int64_t c = 0; c < shape[1]; ++c) {
      double product = 0;
      for (std::int64_t k = 0; k < rank; ++k)
        product += double{b[static_cast<std::size_t>(r * rank + k)]} * a[static_cast<std::size_t>(k * shape[1] + c)];
      const auto at = static_cast<std::size_t>(r * shape[1] + c);
      ASSERT_NEAR(sum[at], w[at] + scale * product, 1e-6) << module << " " << r << " " << c;
      change = std::max(change, std::abs(scale * product));
    }
  EXPECT_GT(change, 1e-3);
}

class AdapterTest : public testing::Test {
 protected:
  Path base(const std::string& golden = "apple-tied") { return golden_folder(golden) / "checkpoint"; }
  Checkpoint open(const Path& folder, const Path& base_model) {
    auto opened = Checkpoint::open(folder, base_model);
    EXPECT_TRUE(opened.ok()) << opened.error().message;
    return std::move(opened).value();
  }
  std::string refusal(const Adapter& adapter, const Path& base_model) {
    adapter.save();
    auto result = prepare_export({.model_dir = adapter.folder, .base_model = base_model, .image_size = 128});
    if (result.ok()) return "exported";
    EXPECT_EQ(result.error().kind, ErrorKind::kBadInput);
    return result.error().message;
  }
  FolderForTests folder_;
  Adapter adapter_{folder_.path() / "adapter"};
};

TEST_F(AdapterTest, WeightsAreTheBasePlusTheScaledProduct) {
  adapter_.pair("model.layers.0.self_attn.q_proj", 64, 64, 4);
  adapter_.pair("model.layers.1.mlp.down_proj", 64, 128, 2, ".default");
  adapter_.pair("model.layers.1.self_attn.v_proj", 32, 64, 4);
  adapter_.pair("model.mm_projector.0", 64, 256, 4);
  adapter_.pair("model.vision_tower.vision_tower.model.network.10.0.token_mixer.proj", 128, 128, 4);
  adapter_.config["rank_pattern"] = {{"down_proj", 2}};
  adapter_.config["alpha_pattern"] = {{"model.layers.1.self_attn.v_proj", 10}};
  adapter_.save();
  const Checkpoint plain = open(base(), {}), merged = open(adapter_.folder, base());
  expect_sum(plain, merged, "model.layers.0.self_attn.q_proj", 4, 6.0 / 4);
  expect_sum(plain, merged, "model.layers.1.mlp.down_proj", 2, 6.0 / 2);
  expect_sum(plain, merged, "model.layers.1.self_attn.v_proj", 4, 10.0 / 4);
  expect_sum(plain, merged, "model.multi_modal_projector.linear_1", 4, 6.0 / 4);
  expect_sum(plain, merged, "model.vision_tower.stages.4.blocks.0.token_mixer.proj", 4, 6.0 / 4);
  EXPECT_EQ(numbers(plain, "model.layers.1.self_attn.q_proj.weight"), numbers(merged, "model.layers.1.self_attn.q_proj.weight"));

  adapter_.config["use_rslora"] = true;
  adapter_.save();
  expect_sum(plain, open(adapter_.folder, base()), "model.layers.0.self_attn.q_proj", 4, 6.0 / 2);
}

TEST_F(AdapterTest, ANameOfOneDialectFitsABaseOfTheOther) {
  adapter_.pair("model.layers.2.self_attn.q_proj", 96, 96, 4);
  adapter_.pair("model.language_model.layers.0.mlp.up_proj", 160, 96, 4);
  adapter_.save();
  const Checkpoint plain = open(base("hf-untied-sharded"), {}), merged = open(adapter_.folder, base("hf-untied-sharded"));
  expect_sum(plain, merged, "model.layers.2.self_attn.q_proj", 4, 1.5);
  expect_sum(plain, merged, "model.layers.0.mlp.up_proj", 4, 1.5);
}

TEST_F(AdapterTest, TableAndHeadOfATiedModelBecomeTwo) {
  adapter_.tensor("base_model.model.model.embed_tokens.lora_embedding_A", {4, 512}, 0.7);
  adapter_.tensor("base_model.model.model.embed_tokens.lora_embedding_B", {64, 4}, 1.1);
  adapter_.save();
  const Checkpoint plain = open(base(), {}), merged = open(adapter_.folder, base());
  const auto before = numbers(plain, "model.embed_tokens.weight"), after = numbers(merged, "model.embed_tokens.weight");
  const auto a = waves(4 * 512, 0.7), b = waves(64 * 4, 1.1);
  for (std::size_t v = 0; v < 512; ++v)
    for (std::size_t h = 0; h < 64; ++h) {
      double product = 0;
      for (std::size_t k = 0; k < 4; ++k) product += double{a[k * 512 + v]} * b[h * 4 + k];
      ASSERT_NEAR(after[v * 64 + h], before[v * 64 + h] + 1.5 * product, 1e-6);
    }
  EXPECT_EQ(numbers(merged, "lm_head.weight"), before);
  auto config = read_model_config(merged);
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_FALSE(config->text.tie_word_embeddings);
  EXPECT_TRUE(mentions(config->findings, "two matrices"));
}

TEST_F(AdapterTest, WhatIsLoadedIntoATiedBaseIsTableAndHead) {
  struct Row {
    const char* title;
    void (*change)(Adapter& adapter);
    std::int64_t rows;
    double step;
  };
  const auto beside = [](Adapter& a) {
    const std::vector<NamedTensor> one = {
        {"base_model.model.model.embed_tokens.weight", Tensor::of_floats({512, 64}, waves(512 * 64, 0.3))}};
    EXPECT_TRUE(write_safetensors(a.folder / "non_lora_trainables.safetensors", one, {}).ok());
  };
  const Row rows[] = {
      {"beside", beside, 512, 0.3},
      {"table", [](Adapter& a) { a.tensor("base_model.model.model.embed_tokens.weight", {512, 64}, 0.4); }, 512, 0.4},
      {"longer table", [](Adapter& a) { a.tensor("base_model.model.model.embed_tokens.weight", {515, 64}, 0.4); }, 515, 0.4},
      {"head", [](Adapter& a) { a.tensor("base_model.model.lm_head.weight", {512, 64}, 0.5); }, 512, 0.5},
      {"table and head",
       [](Adapter& a) {
         a.tensor("base_model.model.model.embed_tokens.weight", {512, 64}, 0.4);
         a.tensor("base_model.model.lm_head.weight", {512, 64}, 0.5);
       },
       512, 0.5},
      {"head and table",
       [](Adapter& a) {
         a.tensor("base_model.model.lm_head.weight", {512, 64}, 0.5);
         a.tensor("base_model.model.model.embed_tokens.weight", {512, 64}, 0.4);
       },
       512, 0.5},
  };
  for (const Row& row : rows) {
    Adapter adapter(folder_.path() / row.title);
    adapter.pair("model.layers.0.self_attn.q_proj", 64, 64, 4);
    row.change(adapter);
    adapter.save();
    auto result = prepare_export({.model_dir = adapter.folder, .base_model = base(), .image_size = 128});
    ASSERT_TRUE(result.ok()) << row.title << ": " << result.error().message;
    EXPECT_TRUE((*result)->config.text.tie_word_embeddings) << row.title;
    EXPECT_TRUE(mentions((*result)->findings, "so both are replaced")) << row.title;
    EXPECT_FALSE(mentions((*result)->findings, "differs from embed_tokens")) << row.title;
    EXPECT_EQ(numbers(*(*result)->checkpoint, "model.embed_tokens.weight"), waves(row.rows * 64, row.step)) << row.title;
  }
}

TEST_F(AdapterTest, ATableThatIsLoadedUnderAnAdapterIsTheHeadWithoutIt) {
  adapter_.tensor("base_model.model.model.embed_tokens.base_layer.weight", {512, 64}, 0.3);
  adapter_.tensor("base_model.model.model.embed_tokens.lora_embedding_A", {4, 512}, 0.7);
  adapter_.tensor("base_model.model.model.embed_tokens.lora_embedding_B", {64, 4}, 1.1);
  adapter_.save();
  const Checkpoint merged = open(adapter_.folder, base());
  EXPECT_EQ(numbers(merged, "lm_head.weight"), waves(512 * 64, 0.3));
  EXPECT_NE(numbers(merged, "model.embed_tokens.weight"), waves(512 * 64, 0.3));
  EXPECT_TRUE(merged.head_apart());
}

// LLaVA loads them into the base before it puts the adapter over it.
TEST_F(AdapterTest, AnAdapterLiesOverWhatWasTrainedBesideIt) {
  adapter_.tensor("base_model.model.model.embed_tokens.weight", {512, 64}, 0.4);
  adapter_.config["modules_to_save"] = {"embed_tokens"};
  adapter_.save();
  const std::vector<NamedTensor> beside = {
      {"base_model.model.model.embed_tokens.weight", Tensor::of_floats({512, 64}, waves(512 * 64, 0.3))}};
  EXPECT_TRUE(write_safetensors(adapter_.folder / "non_lora_trainables.safetensors", beside, {}).ok());
  const Checkpoint merged = open(adapter_.folder, base());
  EXPECT_EQ(numbers(merged, "model.embed_tokens.weight"), waves(512 * 64, 0.4));
  EXPECT_EQ(numbers(merged, "lm_head.weight"), waves(512 * 64, 0.3));
}

TEST_F(AdapterTest, WhatWasTrainedAsAWholeReplacesTheBase) {
  adapter_.pair("model.layers.0.self_attn.q_proj", 64, 64, 4);
  adapter_.tensor("base_model.model.lm_head.modules_to_save.weight", {512, 64}, 0.3);
  adapter_.tensor("base_model.model.model.mm_projector.2.weight", {64, 64}, 0.5);
  adapter_.tensor("base_model.model.model.layers.0.self_attn.k_proj.base_layer.bias", {32}, 0.9);
  adapter_.config["modules_to_save"] = {"lm_head", "mm_projector"};
  adapter_.save();
  const Checkpoint merged = open(adapter_.folder, base());
  EXPECT_EQ(numbers(merged, "lm_head.weight"), waves(512 * 64, 0.3));
  EXPECT_EQ(numbers(merged, "model.multi_modal_projector.linear_2.weight"), waves(64 * 64, 0.5));
  EXPECT_EQ(numbers(merged, "model.layers.0.self_attn.k_proj.bias"), waves(32, 0.9));
  auto result = prepare_export({.model_dir = adapter_.folder, .base_model = base(), .image_size = 128});
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_TRUE(mentions((*result)->findings, "the LoRA adapter is merged: 1 weights"));
  EXPECT_TRUE(mentions((*result)->findings, "3 tensors are replaced"));
}

TEST_F(AdapterTest, BiasesThatWereTrainedReplaceThoseOfTheBase) {
  adapter_.pair("model.layers.0.self_attn.q_proj", 64, 64, 4);
  adapter_.pair("model.layers.0.mlp.up_proj", 128, 64, 4);  // has no bias
  adapter_.tensor("base_model.model.model.layers.0.self_attn.q_proj.base_layer.bias", {64}, 0.9);
  adapter_.config["bias"] = "lora_only";
  adapter_.save();
  EXPECT_EQ(numbers(open(adapter_.folder, base()), "model.layers.0.self_attn.q_proj.bias"), waves(64, 0.9));
}

TEST_F(AdapterTest, AnAdapterInFp8IsRefusedByItsType) {
  adapter_.save();
  const std::string header =
      R"({"base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight":{"dtype":"F8_E4M3","shape":[4,64],"data_offsets":[0,256]}})";
  const std::uint64_t length = header.size();
  write_text(adapter_.folder / "adapter_model.safetensors",
             std::string(reinterpret_cast<const char*>(&length), sizeof length) + header + std::string(256, '\0'));
  auto opened = Checkpoint::open(adapter_.folder, base());
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.error().message.find("element type F8_E4M3 is not supported"), std::string::npos) << opened.error().message;
}

TEST_F(AdapterTest, TensorsTrainedBesideItAndAProjectorAloneAreRead) {
  adapter_.pair("model.layers.0.self_attn.q_proj", 64, 64, 4);
  adapter_.save();
  const std::vector<NamedTensor> beside = {
      {"base_model.model.model.mm_projector.0.bias", Tensor::of_floats({64}, waves(64, 0.4))},
      {"base_model.model.model.vision_tower.vision_tower.model.network.0.0.convffn.conv.bn.num_batches_tracked",
       Tensor::of_int64({}, std::vector<std::int64_t>{3})}};
  EXPECT_TRUE(write_safetensors(adapter_.folder / "non_lora_trainables.safetensors", beside, {}).ok());
  EXPECT_EQ(numbers(open(adapter_.folder, base()), "model.multi_modal_projector.linear_1.bias"), waves(64, 0.4));

  const Path projector = folder_.path() / "projector";
  fs::create_directories(projector);
  const std::vector<NamedTensor> alone = {{"model.mm_projector.0.bias", Tensor::of_floats({64}, waves(64, 0.8))}};
  EXPECT_TRUE(write_safetensors(projector / "mm_projector.safetensors", alone, {}).ok());
  EXPECT_EQ(numbers(open(projector, base()), "model.multi_modal_projector.linear_1.bias"), waves(64, 0.8));
}

TEST_F(AdapterTest, TheExportIsThatOfTheMergedModelOnAnyNumberOfThreadsAndIsVerified) {
  adapter_.pair("model.layers.0.self_attn.q_proj", 64, 64, 4);
  adapter_.pair("model.layers.1.mlp.gate_proj", 128, 64, 4);
  adapter_.save();
  std::map<std::string, std::string> first;
  for (unsigned threads : {1U, 3U}) {
    const Path out = folder_.path() / fmt::format("out{}", threads);
    export_or_fail({.model_dir = adapter_.folder, .output_dir = out, .base_model = base(), .image_size = 128, .threads = threads});
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::directory_iterator(out)) files[entry.path().filename().string()] = text_of(entry.path());
    EXPECT_TRUE(files.contains("tokenizer.json")) << "the base's";
    if (first.empty()) first = files;
    EXPECT_EQ(files, first) << threads;
  }
  bool found = false;
  const Json manifest = Json::parse(first.at("manifest.json"));
  for (const Json& row : manifest["weights"]) {
    if (row["name"] != "model.layers.1.mlp.gate_proj.weight") continue;
    found = true;
    EXPECT_EQ(row["done"], "add lora, transpose");
    EXPECT_EQ(row["from"], Json({"model.layers.1.mlp.gate_proj.weight", "base_model.model.model.layers.1.mlp.gate_proj.lora_A.weight",
                                 "base_model.model.model.layers.1.mlp.gate_proj.lora_B.weight"}));
  }
  EXPECT_TRUE(found);
  Progress silent;
  auto report = verify({.output_dir = folder_.path() / "out1", .model_dir = adapter_.folder, .base_model = base()}, silent);
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_TRUE(report->passed());
}

TEST_F(AdapterTest, WhatDoesNotFitIsRefusedByName) {
  struct Row {
    const char* title;
    void (*change)(Adapter& adapter);
    const char* part;
    bool with_base = true;
  };
  const Row rows[] = {
      {"no base", [](Adapter&) {}, "a LoRA adapter; name the folder of its base model (apple/FastVLM-0.5B) with `base_model`", false},
      {"a tensor of another model", [](Adapter& a) { a.pair("model.layers.7.self_attn.q_proj", 64, 64, 4); }, "fits no weight of the base"},
      {"a factor alone", [](Adapter& a) { a.tensor("base_model.model.model.layers.0.self_attn.k_proj.lora_A.weight", {4, 64}, 1); },
       "has no counterpart"},
      {"another rank", [](Adapter& a) { a.pair("model.layers.0.self_attn.k_proj", 32, 64, 8); },
       "has rank 8, but adapter_config.json says 4"},
      {"another shape", [](Adapter& a) { a.pair("model.layers.0.self_attn.k_proj", 64, 64, 4); }, "do not make a weight of [32, 64]"},
      {"magnitudes", [](Adapter& a) { a.tensor("base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector", {64}, 1); },
       "DoRA"},
      {"DoRA", [](Adapter& a) { a.config["use_dora"] = true; }, "use_dora = true"},
      {"IA3", [](Adapter& a) { a.config["peft_type"] = "IA3"; }, "peft_type = \"IA3\""},
      {"a bias of its own", [](Adapter& a) { a.tensor("base_model.model.model.layers.0.self_attn.q_proj.lora_B.bias", {64}, 1); },
       "is a bias of the adapter"},
      {"a saved module that is missing", [](Adapter& a) { a.config["modules_to_save"] = {"lm_head"}; },
       "names \"lm_head\", of which the file"},
      {"an unknown whole tensor", [](Adapter& a) { a.tensor("base_model.model.score.weight", {2, 64}, 1); }, "fits no tensor of the base"},
      {"biases that are not there", [](Adapter& a) { a.config["bias"] = "lora_only"; },
       "bias = \"lora_only\", but the file holds no trained \"model.layers.0.self_attn.q_proj.bias\""},
      {"half of all biases",
       [](Adapter& a) {
         a.config["bias"] = "all";
         for (const char* layer : {"0", "1"})
           for (const char* module : {"q_proj", "k_proj"})
             a.tensor(fmt::format("base_model.model.model.layers.{}.self_attn.{}.bias", layer, module), {module[0] == 'q' ? 64 : 32}, 0.9);
       },
       "bias = \"all\", but the file holds no trained \"model.layers.0.self_attn.v_proj.bias\""},
      {"another bias", [](Adapter& a) { a.config["bias"] = "some"; }, "bias = \"some\" is not supported"},
      {"factors in int8", [](Adapter& a) { a.int8("base_model.model.model.layers.0.self_attn.k_proj", 32, 64); }, "holds int8"},
      {"a whole tensor in int8",
       [](Adapter& a) { a.tensors.push_back({"base_model.model.model.norm.weight", Tensor::zeros(Dtype::kInt8, {64})}); }, "holds int8"},
      {"a PyTorch file beside", [](Adapter& a) { write_text(a.folder / "non_lora_trainables.bin", "PK"); }, "non_lora_trainables.bin"},
  };
  for (const Row& row : rows) {
    Adapter adapter(folder_.path() / row.title);
    adapter.pair("model.layers.0.self_attn.q_proj", 64, 64, 4);
    row.change(adapter);
    const std::string message = refusal(adapter, row.with_base ? base() : Path());
    EXPECT_NE(message.find(row.part), std::string::npos) << row.title << ": " << message;
  }
  adapter_.pair("model.layers.0.self_attn.q_proj", 64, 64, 4);
  EXPECT_NE(refusal(adapter_, adapter_.folder).find("the base model is an adapter itself"), std::string::npos);
  fs::rename(adapter_.folder / "adapter_model.safetensors", adapter_.folder / "adapter_model.bin");
  auto result = prepare_export({.model_dir = adapter_.folder, .base_model = base(), .image_size = 128});
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.error().message.find("adapter_model.bin is not read"), std::string::npos) << result.error().message;
}

}  // namespace
}  // namespace fastvlm
