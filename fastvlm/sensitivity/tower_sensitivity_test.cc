// Tower and projector of the trained checkpoint taken apart, with two of its pictures; also where one block is made a hard one.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <stop_token>

#include "fastvlm/base/interrupt.h"
#include "fastvlm/export/calibrate_checkpoint.h"
#include "fastvlm/export/edited_checkpoint_for_tests.h"
#include "fastvlm/export/golden_export_for_tests.h"
#include "fastvlm/sensitivity/two_questions_for_tests.h"
#include "fastvlm/session/image_encoder.h"
#include "fastvlm/tensor/compare.h"

namespace fastvlm {
namespace {

constexpr const char* kHard = "model.vision_tower.stages.2.blocks.1";

class SensitivityOfTower : public TwoQuestions {
 protected:
  // The same function in floats: what a convolution multiplies by 512 in a quarter of its channels the next divides by it,
  // with weights that eight bits beside the others cannot hold.
  Path with_a_hard_block() const {
    EditedCheckpoint hard(folder_ / "hard", kTrained / "checkpoint");
    const std::string block = "model.vision_tower.timm_model.stages.2.blocks.1.mlp.";
    constexpr std::size_t kMany = 16, kChannels = 64;
    for (const char* name : {"conv.bn.weight", "conv.bn.bias"}) hard.multiply(block + name, 512, 0, kMany);
    hard.multiply(block + "fc1.weight", 1.0F / 512, 0, kMany, kChannels);
    hard.save();
    return hard.path();
  }

  SensitivityOptions options(const Path& checkpoint, Granularity granularity = Granularity::kModules) const {
    SensitivityOptions made = asking(checkpoint, granularity);
    made.vision_recipe = find_recipe("w8a16").value();
    made.ranges = ranges(checkpoint);
    return made;
  }

  Ranges ranges(const Path& checkpoint) const {
    Progress silent;
    return calibrate_checkpoint({.model_dir = checkpoint,
                                 .chip = "sm8750",
                                 .pictures = folder_ / "pictures",
                                 .prompts = folder_ / "prompts.txt",
                                 .reply_tokens = 4,
                                 .runtimes = {.onnxruntime_library = runtimes_for_tests().onnxruntime_library},
                                 .threads = 2},
                                silent)
        .value();
  }

  Path exported(const std::string& name, const Recipe& tower, const Ranges& ranges) const {
    ExportOptions options{
        .model_dir = kTrained / "checkpoint", .output_dir = folder_ / name, .image_size = 256, .force = true, .threads = 2};
    options.npu = NpuOptions{.targets = {"sm8750"}, .image_sizes = {256}, .prefill = {32}, .context = 128, .vision_recipe = tower};
    if (!tower.is_float()) options.ranges = RangeOptions{.ranges = ranges, .share = 1};
    options.gelu = GeluPolicy::kExact;
    export_or_fail(options);
    return folder_ / name;
  }

  // Features of the two pictures with that tower, in a graph that is not cut, against the float ones.
  double features_db_of(const Recipe& tower, const Ranges& ranges) const {
    std::vector<float> floats, other;
    for (const auto& [recipe, all] : {std::pair(Recipe(), &floats), std::pair(tower, &other)}) {
      const OutputFolder folder = open_output_folder(exported("out", recipe, ranges)).value();
      ImageEncoder encoder({.graph = folder.path / folder.vision(256)->file,
                            .preprocess = {.settings = folder.manifest.preprocessing.settings},
                            .hidden_size = folder.text().hidden_size,
                            .open = cpu_for_tests()});
      for (const Question& question : asked_) {
        const std::vector<float> features = encoder.encode(encoder.load(question.image).value()).value();
        all->insert(all->end(), features.begin(), features.end());
      }
    }
    return compare(other, floats).snr_db;
  }

  static double cost(const SensitivityRow& row) { return row.apart.kl; }
};

TEST_F(SensitivityOfTower, ARowIsWhatThatPieceInIntegersAloneCosts) {
  const SensitivityOptions all = options(kTrained / "checkpoint");
  const Sensitivity found = measured(all);
  EXPECT_EQ(found.questions, 2);
  std::vector<std::string> pieces;
  for (const SensitivityRow& row : found.rows) pieces.push_back(row.layer);
  const std::string tower = "model.vision_tower.";
  EXPECT_EQ(pieces, (std::vector<std::string>{tower + "stem", tower + "stages.0.blocks.0", tower + "stages.1.downsample",
                                              tower + "stages.1.blocks.0", tower + "stages.2.downsample", tower + "stages.2.blocks.0",
                                              tower + "stages.2.blocks.1", tower + "stages.3.downsample", tower + "stages.3.pos_emb",
                                              tower + "stages.3.blocks.0", tower + "stages.4.downsample", tower + "stages.4.pos_emb",
                                              tower + "stages.4.blocks.0", tower + "final_conv", "model.multi_modal_projector"}));
  const SensitivityRow& row = found.rows[9];
  EXPECT_EQ(row.weights, "all");
  EXPECT_EQ(row.precision, "8 bits by channel");
  ASSERT_TRUE(row.apart.features_db);
  EXPECT_GT(*row.apart.features_db, 40);
  Recipe alone = all.vision_recipe;
  alone.name = "alone", alone.rules = {{row.layer + ".*", eight_bits(Activations::kInt16)}, {"*", std::nullopt}};
  // Behind the piece an export rounds to 16 bits once more.
  EXPECT_NEAR(*row.apart.features_db, features_db_of(alone, *all.ranges), 0.2);
  EXPECT_NEAR(*found.whole.apart.features_db, features_db_of(all.vision_recipe, *all.ranges), 0.05);
  for (const SensitivityRow& one : found.rows) EXPECT_GT(*one.apart.features_db, *found.whole.apart.features_db) << one.layer;
}

TEST_F(SensitivityOfTower, AHardBlockComesFirstAndTheProposalKeepsItInFloats) {
  SensitivityOptions hard = options(with_a_hard_block());
  const Sensitivity found = measured(hard);
  ASSERT_EQ(found.rows.size(), 15U);
  const auto worst = std::ranges::max_element(found.rows, {}, cost);
  EXPECT_EQ(worst->layer, kHard);
  double rest = 0;
  std::int64_t saved = 0;
  for (const SensitivityRow& row : found.rows) {
    saved += row.saved;
    if (row.layer == kHard) continue;
    rest += cost(row);
    EXPECT_LT(cost(row), 0.1 * cost(*worst)) << row.layer << " " << cost(row) << " " << cost(*worst);
    EXPECT_GT(*row.apart.features_db, *worst->apart.features_db + 10) << row.layer;
  }
  // Bytes and costs add up.
  EXPECT_EQ(static_cast<std::int64_t>(found.float_bytes) - saved, static_cast<std::int64_t>(found.whole.bytes));
  EXPECT_NEAR(found.whole.predicted, rest + cost(*worst), 1e-3 * found.whole.predicted);
  EXPECT_GT(found.whole.apart.kl, 0.5 * found.whole.predicted);
  EXPECT_LT(found.whole.apart.kl, 2 * found.whole.predicted);

  hard.quality = 0.3 * found.whole.apart.kl;
  const Sensitivity asked = measured(hard);
  ASSERT_TRUE(asked.proposal);
  const Recipe& proposal = asked.proposal->vision_recipe;
  ASSERT_EQ(proposal.rules.size(), hard.vision_recipe.rules.size() + 1);
  EXPECT_EQ(proposal.rules[0], (EncodingRule{std::string(kHard) + ".*", std::nullopt}));
  EXPECT_LE(asked.proposal->apart.kl, *hard.quality);
  EXPECT_GT(*asked.proposal->apart.features_db, *asked.whole.apart.features_db + 10);
  EXPECT_LT(asked.proposal->bytes, asked.float_bytes);
  EXPECT_TRUE(asked.proposal->recipe.is_float());
}

TEST_F(SensitivityOfTower, StandsInOneTableWithTheDecoderAndOneBoundIsForBoth) {
  SensitivityOptions both = options(kTrained / "checkpoint", Granularity::kLayers);
  both.recipe = find_recipe("w4").value();
  both.size_share = 0.55;
  const Sensitivity found = measured(both);
  // Stem, five stages, the last convolution and the projector; four layers in 4 bits and in 8; the head.
  ASSERT_EQ(found.rows.size(), 8U + 8 + 1);
  EXPECT_EQ(found.rows[1].layer, "model.vision_tower.stages.0");
  EXPECT_EQ(found.rows[8].layer, "model.layers.0");
  EXPECT_TRUE(found.rows[7].apart.features_db);
  EXPECT_FALSE(found.rows[8].apart.features_db);
  ASSERT_TRUE(found.proposal);
  EXPECT_EQ(names_of(found.whole), "w4 and w8a16");
  EXPECT_LE(found.proposal->bytes, static_cast<std::uint64_t>(0.55 * static_cast<double>(found.float_bytes)));
  EXPECT_LT(found.proposal->apart.kl, found.whole.apart.kl);
}

TEST_F(SensitivityOfTower, IsCutForNoChipThatCouldNotRunTheProposal) {
  SensitivityOptions integers = options(kTrained / "checkpoint", Granularity::kLayers);
  integers.chip = "sm8350";
  integers.quality = 1e-12;
  Progress silent;
  const auto refused = measure_sensitivity(integers, silent);
  ASSERT_FALSE(refused.ok()) << "floats were proposed";
  EXPECT_EQ(refused.error().option, "quality");
}

TEST_F(SensitivityOfTower, StopsWhenItIsAsked) {
  const SensitivityOptions all = options(kTrained / "checkpoint");
  std::stop_source stop;
  std::string stage;
  Progress progress([&](const ProgressEvent& event) {
    if (!event.stage.starts_with("measuring")) return;
    stage = event.stage;
    EXPECT_EQ(event.total, 15U);
    if (event.done == 3) stop.request_stop();
    EXPECT_LE(event.done, 4U);
  });
  const StopScope scope(stop.get_token());
  const auto stopped = measure_sensitivity(all, progress);
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().kind, ErrorKind::kInterrupted);
  EXPECT_NE(stage.find("s each"), std::string::npos) << stage;
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "work"));
}

}  // namespace
}  // namespace fastvlm
