#include "fastvlm/checkpoint/dialect.h"

#include <gtest/gtest.h>

namespace fastvlm {
namespace {

TEST(Dialect, EveryDialectLeadsToTheCanonicalNames) {
  struct Row {
    const char *from, *to;
  };
  const Row rows[] = {
      {"model.embed_tokens.weight", "model.embed_tokens.weight"},
      {"model.language_model.embed_tokens.weight", "model.embed_tokens.weight"},
      {"language_model.model.layers.3.mlp.up_proj.weight", "model.layers.3.mlp.up_proj.weight"},
      {"language_model.lm_head.weight", "lm_head.weight"},
      {"model.mm_projector.0.bias", "model.multi_modal_projector.linear_1.bias"},
      {"model.mm_projector.2.weight", "model.multi_modal_projector.linear_2.weight"},
      {"model.vision_tower.vision_tower.model.patch_embed.0.reparam_conv.weight", "model.vision_tower.stem.0.reparam_conv.weight"},
      {"model.vision_tower.vision_tower.model.network.1.proj.0.lkb_reparam.weight",
       "model.vision_tower.stages.1.downsample.proj.0.reparam_conv.weight"},
      {"model.vision_tower.vision_tower.model.network.6.reparam_conv.weight", "model.vision_tower.stages.3.pos_emb.reparam_conv.weight"},
      {"model.vision_tower.vision_tower.model.network.10.0.convffn.fc1.weight", "model.vision_tower.stages.4.blocks.0.mlp.fc1.weight"},
      {"model.vision_tower.vision_tower.model.conv_exp.se.reduce.weight", "model.vision_tower.final_conv.se.fc1.weight"},
      {"model.vision_tower.timm_model.stages.0.blocks.0.mlp.fc1.weight", "model.vision_tower.stages.0.blocks.0.mlp.fc1.weight"},
      {"model.vision_tower.vision_tower.model.network.11.x", ""},
      {"model.vision_tower.vision_tower.model.network.-1.x", ""},
      {"model.vision_tower.vision_tower.model.network..x", ""},
      {"model.vision_tower.vision_tower.model.network.99999999999999999999.x", ""},
      {"model.vision_tower.something.weight", ""},
      {"optimizer.state", ""},
      {"", ""},
  };
  for (const Row& row : rows) EXPECT_EQ(canonical_name(row.from), row.to) << row.from;
}

TEST(Dialect, NamesFormsThatCannotBeExported) {
  struct Row {
    const char *name, *sentence;
  };
  for (const Row& row : {Row{"model.layers.0.mlp.up_proj.scales", "MLX"}, Row{"model.layers.0.q_proj.lora_A.weight", "LoRA"},
                         Row{"model.layers.0.q_proj.qweight", "GPTQ"}}) {
    const std::string names[] = {"model.norm.weight", row.name};
    Status status = check_exportable_names(names, "folder");
    ASSERT_FALSE(status.ok()) << row.name;
    EXPECT_NE(status.error().message.find(row.sentence), std::string::npos) << status.error().message;
  }
  const std::string good[] = {"model.norm.weight"};
  EXPECT_TRUE(check_exportable_names(good, "folder").ok());
}

TEST(Dialect, AnUnknownArchitectureIsToldTheNearestKnownOne) {
  for (const char* known : {"llava_qwen2", "fast_vlm"}) EXPECT_EQ(*check_model_type(known, "config.json"), known);
  struct Row {
    std::string type;
    const char* nearest;
  };
  for (const Row& row :
       {Row{"llava_qwen", "llava_qwen2"}, Row{"fastvlm", "fast_vlm"}, Row{"", "fast_vlm"}, Row{std::string(1 << 20, 'q'), "llava_qwen2"}}) {
    auto type = check_model_type(row.type, "config.json");
    ASSERT_FALSE(type.ok());
    EXPECT_NE(type.error().message.find(fmt::format("the nearest is {}", row.nearest)), std::string::npos)
        << type.error().message.substr(0, 200);
  }
}

}  // namespace
}  // namespace fastvlm
