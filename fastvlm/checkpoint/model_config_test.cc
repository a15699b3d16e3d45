#include "fastvlm/checkpoint/model_config.h"

#include <algorithm>

#include "fastvlm/checkpoint/checkpoint_for_tests.h"
#include "fastvlm/checkpoint/fuse.h"

namespace fastvlm {
namespace {

const std::string kTower = "model.vision_tower.timm_model.";

// A model no two extents of which are equal, so that none can be taken for another. Only what the config is read from.
class ModelConfigTest : public testing::Test {
 protected:
  ModelConfigTest() { add_model(); }
  void add_model() {
    checkpoint_.clear();
    add("model.language_model.embed_tokens.weight", {40, 24});
    for (const char* layer : {"0", "1", "2"}) {
      const std::string path = std::string("model.language_model.layers.") + layer;
      add(path + ".self_attn.q_proj.weight", {6 * 10, 24});
      add(path + ".self_attn.k_proj.weight", {2 * 10, 24});
      add(path + ".mlp.gate_proj.weight", {56, 24});
    }
    add(kTower + "stem.0.reparam_conv.weight", {8, 3, 3, 3});
    const std::int64_t channels[] = {8, 16, 32, 64, 128}, blocks[] = {1, 2, 4, 3, 2};
    for (std::size_t i = 0; i < 5; ++i) {
      const std::string stage = kTower + "stages." + std::to_string(i);
      for (std::int64_t b = 0; b < blocks[i]; ++b) {
        const std::string block = stage + ".blocks." + std::to_string(b);
        add(block + ".mlp.fc1.weight", {3 * channels[i], channels[i], 1, 1});
        if (i >= 3) add(block + ".token_mixer.qkv.weight", {3 * channels[i], channels[i]});
      }
      if (i > 0) add(stage + ".downsample.proj.0.reparam_conv.weight", {channels[i], 1, 7, 7});
      if (i >= 3) add(stage + ".pos_emb.reparam_conv.weight", {channels[i], 1, 7, 7});
    }
    add(kTower + "final_conv.se.fc1.weight", {12, 256, 1, 1});
    add("model.multi_modal_projector.linear_1.weight", {24, 256});
    add("model.multi_modal_projector.linear_2.weight", {24, 24});
  }
  void add(const std::string& name, const Shape& shape) { checkpoint_.add(name, shape); }
  Result<ModelConfig> read(const Json& more = Json::object()) const {
    Json config = {{"model_type", "fast_vlm"}, {"num_attention_heads", 6}};
    config.update(more);
    auto checkpoint = checkpoint_.open(config);
    if (!checkpoint.ok()) return checkpoint.error();
    return read_model_config(*checkpoint);
  }
  CheckpointForTests checkpoint_;
};

TEST_F(ModelConfigTest, ExtentsOfTheDecoderComeFromItsTensors) {
  const TextConfig text = read().value().text;
  EXPECT_EQ(text.vocab_size, 40);
  EXPECT_EQ(text.hidden_size, 24);
  EXPECT_EQ(text.num_hidden_layers, 3);
  EXPECT_EQ(text.num_attention_heads, 6);
  EXPECT_EQ(text.num_key_value_heads, 2);
  EXPECT_EQ(text.head_dim, 10);
  EXPECT_EQ(text.intermediate_size, 56);
}

TEST_F(ModelConfigTest, ExtentsOfTheTowerComeFromItsTensors) {
  const VisionConfig vision = read().value().vision;
  EXPECT_EQ(vision.stem_channels, 8);
  EXPECT_EQ(vision.hidden_size, 256);
  EXPECT_EQ(vision.squeeze_channels, 12);
  EXPECT_FALSE(vision.training_form);
  struct Row {
    std::int64_t channels, blocks;
    bool attention, downsample, pos_emb;
  };
  const Row rows[] = {{8, 1, false, false, false},
                      {16, 2, false, true, false},
                      {32, 4, false, true, false},
                      {64, 3, true, true, true},
                      {128, 2, true, true, true}};
  ASSERT_EQ(vision.stages.size(), std::size(rows));
  for (std::size_t i = 0; i < std::size(rows); ++i) {
    const VisionStage& stage = vision.stages[i];
    EXPECT_EQ(stage.channels, rows[i].channels) << i;
    EXPECT_EQ(stage.mlp_channels, 3 * rows[i].channels) << i;
    EXPECT_EQ(stage.blocks, rows[i].blocks) << i;
    EXPECT_EQ(stage.attention, rows[i].attention) << i;
    EXPECT_EQ(stage.downsample, rows[i].downsample) << i;
    EXPECT_EQ(stage.pos_emb, rows[i].pos_emb) << i;
  }
  checkpoint_.add(kTower + "stem.0.conv_kxk.0.conv.weight", {8, 3, 3, 3});
  EXPECT_TRUE(read().value().vision.training_form);
}

// What only the config knows, and what the reference takes where it says nothing.
TEST_F(ModelConfigTest, NumbersOfTheArithmeticComeFromTheConfig) {
  struct Case {
    Json config;
    double rms_norm_eps, rope_theta;
  };
  for (const auto& [config, eps, theta] :
       {Case{Json::object(), 1e-6, 1e4}, Case{{{"rms_norm_eps", 3e-5}, {"rope_theta", 500.0}}, 3e-5, 500},
        Case{{{"rms_norm_eps", 2e-5}, {"rope_parameters", {{"rope_type", "default"}, {"rope_theta", 700.0}}}}, 2e-5, 700},
        Case{{{"text_config", {{"num_attention_heads", 6}, {"rms_norm_eps", 4e-5}, {"rope_theta", 900}}}}, 4e-5, 900}}) {
    const auto model = read(config);
    ASSERT_TRUE(model.ok()) << config << model.error().message;
    EXPECT_EQ(model->text.rms_norm_eps, eps) << config;
    EXPECT_EQ(model->text.rope_theta, theta) << config;
    EXPECT_EQ(model->vision.layer_norm_eps, 1e-5) << "timm's LayerNorm2d";
    EXPECT_EQ(model->vision.head_dim, 32);
  }
  EXPECT_EQ(kBatchNormEpsilon, 1e-5) << "torch.nn.BatchNorm2d";
}

TEST_F(ModelConfigTest, WhereConfigAndTensorsDisagreeTheTensorsWinWithAFinding) {
  for (const char* key : {"vocab_size", "hidden_size", "intermediate_size"}) {
    const auto model = read({{key, 7}});
    ASSERT_TRUE(model.ok()) << model.error().message;
    EXPECT_TRUE(std::ranges::any_of(model->findings, [&](const std::string& finding) { return finding.find(key) != std::string::npos; }))
        << key;
    EXPECT_EQ(model->text.vocab_size, 40);
    EXPECT_EQ(model->text.hidden_size, 24);
    EXPECT_EQ(model->text.intermediate_size, 56);
  }
}

TEST_F(ModelConfigTest, HowRowsAreDividedIntoHeadsMustAgree) {
  for (const char* key : {"head_dim", "num_key_value_heads"}) {
    const auto model = read({{key, 7}});
    ASSERT_FALSE(model.ok()) << key;
    EXPECT_NE(model.error().message.find(key), std::string::npos) << model.error().message;
  }
}

TEST_F(ModelConfigTest, TheImageSizeIsThatOfTheTowersNameAndNeverOfItsTokens) {
  EXPECT_EQ(read({{"mm_vision_tower", "mobileclip_l_512"}})->preprocessing.settings.size, 512);
  EXPECT_EQ(read({{"image_seq_length", 64}})->preprocessing.settings.size, read()->preprocessing.settings.size);
}

// Extents that contradict each other are refused, by the name of what does not fit.
TEST_F(ModelConfigTest, PartsOfDifferentModelsAreRefused) {
  struct Case {
    std::string tensor;
    Shape shape;  // empty: taken away
    const char* words;
  };
  for (const Case& c : {Case{"model.multi_modal_projector.linear_1.weight", {24, 255}, "projection mismatch"},
                        Case{"model.multi_modal_projector.linear_2.weight", {25, 24}, "projection mismatch"},
                        Case{"model.multi_modal_projector.linear_2.weight", {24, 25}, "projection mismatch"},
                        Case{"model.language_model.layers.0.self_attn.q_proj.weight", {61, 24}, "num_attention_heads"},
                        Case{"model.language_model.layers.0.self_attn.k_proj.weight", {25, 24}, "k_proj"},
                        Case{"model.language_model.layers.0.self_attn.k_proj.weight", {40, 24}, "key/value heads"},
                        Case{kTower + "stages.3.blocks.0.mlp.fc1.weight", {180, 60, 1, 1}, "stages.3"},
                        Case{kTower + "final_conv.se.fc1.weight", {}, "final_conv.se.fc1.weight"},
                        Case{"model.language_model.embed_tokens.weight", {}, "embed_tokens"}}) {
    add_model();
    c.shape.empty() ? checkpoint_.remove(c.tensor) : checkpoint_.add(c.tensor, c.shape);
    const auto model = read();
    ASSERT_FALSE(model.ok()) << c.tensor;
    EXPECT_NE(model.error().message.find(c.words), std::string::npos) << model.error().message;
  }
}

}  // namespace
}  // namespace fastvlm
