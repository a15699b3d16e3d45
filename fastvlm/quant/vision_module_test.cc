#include "fastvlm/quant/vision_module.h"

#include <gtest/gtest.h>

namespace fastvlm {
namespace {

TEST(VisionModule, EveryModuleOfTowerAndProjectorBelongsToAPieceAndAStage) {
  struct Case {
    const char *module, *piece, *stage;
  };
  const Case cases[] = {
      {"model.vision_tower.stem.0", "model.vision_tower.stem", "model.vision_tower.stem"},
      {"model.vision_tower.stages.1.downsample.proj.0", "model.vision_tower.stages.1.downsample", "model.vision_tower.stages.1"},
      {"model.vision_tower.stages.3.pos_emb", "model.vision_tower.stages.3.pos_emb", "model.vision_tower.stages.3"},
      {"model.vision_tower.stages.2.blocks.10.mlp.fc1", "model.vision_tower.stages.2.blocks.10", "model.vision_tower.stages.2"},
      {"model.vision_tower.stages.2.blocks.1", "model.vision_tower.stages.2.blocks.1", "model.vision_tower.stages.2"},
      {"model.vision_tower.final_conv.se.fc1", "model.vision_tower.final_conv", "model.vision_tower.final_conv"},
      {"model.multi_modal_projector.linear_1", "model.multi_modal_projector", "model.multi_modal_projector"},
      {"model.vision_tower", "", ""},
      {"model.layers.3.mlp", "", ""},
      {"", "", ""},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(vision_module(c.module), c.piece) << c.module;
    EXPECT_EQ(vision_stage(c.piece), c.stage) << c.module;
  }
}

}  // namespace
}  // namespace fastvlm
