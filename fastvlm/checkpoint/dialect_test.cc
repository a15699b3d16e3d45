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

TEST(Dialect, TheFrequenciesOfTheRotationAreIgnoredOfALayerAndOfTheModel) {
  for (const char* name : {"model.rotary_emb.inv_freq", "model.language_model.rotary_emb.inv_freq",
                           "language_model.model.rotary_emb.inv_freq", "model.layers.0.self_attn.rotary_emb.inv_freq"})
    EXPECT_TRUE(is_ignored_tensor(canonical_name(name))) << name;
  EXPECT_FALSE(is_ignored_tensor(canonical_name("model.rotary_emb.weight")));
}

TEST(Dialect, WrappersOfTrainingToolsAreSeenThrough) {
  struct Row {
    const char *from, *to, *wrappers;
  };
  const Row rows[] = {
      {"model.norm.weight", "model.norm.weight", ""},
      {"module.model.norm.weight", "model.norm.weight", "module."},
      {"_orig_mod.model.norm.weight", "model.norm.weight", "_orig_mod."},
      {"module._orig_mod.module.lm_head.weight", "lm_head.weight", "module._orig_mod.module."},
      {"base_model.model.model.language_model.norm.weight", "model.language_model.norm.weight", "base_model.model."},
      {"_orig_mod.base_model.model.lm_head.weight", "lm_head.weight", "_orig_mod.base_model.model."},
      {"model.layers.0._orig_mod.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.weight", "_orig_mod."},
      {"_fsdp_wrapped_module.model.layers.1._fsdp_wrapped_module._checkpoint_wrapped_module.mlp.up_proj.weight",
       "model.layers.1.mlp.up_proj.weight", "_fsdp_wrapped_module._checkpoint_wrapped_module."},
      {"model.model.norm.weight", "model.norm.weight", "model."},
      {"model.lm_head.weight", "lm_head.weight", "model."},
      {"model.model.model.mm_projector.0.bias", "model.mm_projector.0.bias", "model.model."},
      {"model.mm_projector.4.weight", "model.mm_projector.4.weight", ""},
      {"model.image_newline", "model.image_newline", ""},
      {"module.", "", "module."},
      {"", "", ""},
  };
  for (const Row& row : rows) {
    const Unwrapped unwrapped = unwrapped_name(row.from);
    EXPECT_EQ(unwrapped.name, row.to) << row.from;
    EXPECT_EQ(unwrapped.wrappers, row.wrappers) << row.from;
  }
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
