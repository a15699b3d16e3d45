// The trained checkpoint taken apart, with two of its pictures.
#include "fastvlm/sensitivity/sensitivity.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "fastvlm/export/calibrate_checkpoint.h"
#include "fastvlm/export/golden_export_for_tests.h"
#include "fastvlm/sensitivity/two_questions_for_tests.h"

namespace fastvlm {
namespace {

class SensitivityOfTrained : public TwoQuestions {
 protected:
  SensitivityOptions options(const std::string& recipe, Granularity granularity = Granularity::kLayers) const {
    SensitivityOptions made = asking(kTrained / "checkpoint", granularity);
    made.recipe = find_recipe(recipe).value();
    return made;
  }

  // Mean divergence of a recipe from floats along the float replies, through graphs that are not cut.
  double divergence_of(const Recipe& recipe) const {
    ExportOptions exported{.model_dir = kTrained / "checkpoint", .output_dir = folder_ / "out", .image_size = 256, .force = true};
    exported.npu = NpuOptions{.targets = {"sm8750"}, .image_sizes = {256}, .prefill = {32}, .context = 128};
    exported.npu->recipes = {Recipe(), recipe};
    export_or_fail(exported);
    auto chat = Chat::open({.folder = folder_ / "out", .open_graph = cpu_for_tests(), .recipe = "fp16", .max_new_tokens = 8}).value();
    std::vector<std::vector<std::int32_t>> answers;
    for (const Question& question : asked_) {
      EXPECT_TRUE(chat->start(question.image).ok());
      answers.push_back(chat->ask(question.prompt, nullptr).value().ids);
    }
    Forced reference(folder_ / "out", "fp16"), candidate(folder_ / "out", recipe.name);
    return mean_divergence(reference, candidate, asked_, answers).mean;
  }
};

TEST_F(SensitivityOfTrained, ARowIsWhatARecipeOfThatLayerAloneCosts) {
  const Sensitivity found = measured(options("w4"));
  EXPECT_EQ(found.questions, 2);
  // Four layers in 4 bits and in 8, and the head.
  ASSERT_EQ(found.rows.size(), 9u);
  EXPECT_TRUE(found.findings.empty());
  const SensitivityRow& row = found.rows[0];
  EXPECT_EQ(row.layer, "model.layers.0");
  EXPECT_EQ(row.weights, "all");
  Recipe alone = find_recipe("w4").value();
  alone.name = "alone";
  for (const char* rest : {"model.layers.3.*", "model.layers.2.*", "model.layers.1.*", "model.embed_tokens.weight"})
    alone.rules.insert(alone.rules.begin(), {rest, std::nullopt});
  const double expected = divergence_of(alone);
  EXPECT_GT(expected, 0);
  EXPECT_NEAR(row.apart.kl, expected, 0.02 * expected) << "rounded to three digits";
  EXPECT_NEAR(found.whole.apart.kl, divergence_of(find_recipe("w4").value()), 0.02 * found.whole.apart.kl);
  EXPECT_EQ(found.rows[8].layer, "head");
  EXPECT_EQ(found.rows[8].precision, "8 bits, blocks of 128");
}

TEST_F(SensitivityOfTrained, AProposalKeepsItsSizeAndIsTheSameEachTime) {
  SensitivityOptions with_size = options("w4");
  with_size.size_share = 0.4;
  const Sensitivity found = measured(with_size), again = measured(with_size);
  // More bits cost less and save less.
  std::uint64_t saved = 0;
  for (std::size_t i = 0; i + 2 < found.rows.size(); i += 2) {
    EXPECT_LT(found.rows[i + 1].apart.kl, found.rows[i].apart.kl) << found.rows[i].layer;
    EXPECT_GT(found.rows[i + 1].apart.snr_db, found.rows[i].apart.snr_db + 10) << found.rows[i].layer;
    EXPECT_LT(found.rows[i + 1].saved, found.rows[i].saved);
    saved += found.rows[i].saved;
  }
  EXPECT_EQ(found.float_bytes - saved - found.rows.back().saved, found.whole.bytes);
  ASSERT_TRUE(found.proposal && again.proposal);
  EXPECT_LE(found.proposal->bytes, static_cast<std::uint64_t>(0.4 * static_cast<double>(found.float_bytes)));
  EXPECT_GT(found.proposal->bytes, found.whole.bytes);
  EXPECT_LT(found.proposal->apart.kl, found.whole.apart.kl);
  EXPECT_EQ(recipe_text(found.proposal->recipe), recipe_text(again.proposal->recipe));
}

TEST_F(SensitivityOfTrained, AProposalIsMeasuredAgainstTheQualityThatWasAsked) {
  SensitivityOptions with_quality = options("w4", Granularity::kModules);
  with_quality.quality = 2e-7;
  const Sensitivity found = measured(with_quality);
  ASSERT_TRUE(found.proposal);
  EXPECT_LE(found.proposal->apart.kl, *with_quality.quality);
  EXPECT_GT(found.whole.apart.kl, *with_quality.quality);
  EXPECT_LT(found.proposal->bytes, found.float_bytes / 2);
}

TEST_F(SensitivityOfTrained, ActivationsInIntegersHaveARowOfTheirOwn) {
  SensitivityOptions integers = options("w4a16");
  Progress silent;
  integers.ranges = calibrate_checkpoint({.model_dir = kTrained / "checkpoint",
                                          .chip = "sm8750",
                                          .pictures = folder_ / "pictures",
                                          .prompts = folder_ / "prompts.txt",
                                          .reply_tokens = 4,
                                          .runtimes = integers.runtimes},
                                         silent)
                        .value();
  const Sensitivity found = measured(integers);
  ASSERT_EQ(found.rows.size(), 14u);  // activations, 4 bits, 8 bits of four layers; activations and 8 bits of the head
  EXPECT_EQ(found.rows[0].weights, "activations");
  EXPECT_EQ(found.rows[0].saved, 0u);
  EXPECT_GT(found.rows[0].apart.snr_db, found.rows[1].apart.snr_db);
  EXPECT_GT(found.rows[2].apart.snr_db, found.rows[1].apart.snr_db);
  EXPECT_GT(found.whole.apart.kl, 0);
}

TEST(Sensitivity, AProposalThatIsNoSmallerAndNoNearerGivesWayToTheRecipeAsItIs) {
  const Recipe w4 = find_recipe("w4").value(), mixed{.name = "w4", .rules = {{"*", eight_bits(Activations::kFloat)}}};
  struct Case {
    std::uint64_t bytes;
    double kl;
    bool stays;
  };
  for (const Case& c : {Case{606, 4.7e-6, false}, Case{606, 3.5e-6, false}, Case{606, 3.4e-6, true}, Case{500, 4.7e-6, true}}) {
    Sensitivity found{.whole = {.recipe = w4, .bytes = 521, .apart = {.kl = 3.5e-6}}};
    found.proposal = MeasuredRecipe{.recipe = mixed, .bytes = c.bytes, .apart = {.kl = c.kl}};
    settle_proposal(found);
    EXPECT_EQ(found.proposal->recipe.rules == mixed.rules, c.stays) << c.bytes << " " << c.kl;
    EXPECT_EQ(found.proposal->bytes, c.stays ? c.bytes : 521);
    ASSERT_EQ(found.findings.size(), c.stays ? 0U : 1U);
    if (c.stays) continue;
    EXPECT_NE(found.findings[0].find("not better than w4 on these pictures"), std::string::npos) << found.findings[0];
  }
}

TEST_F(SensitivityOfTrained, RefusesWhatIsNothingToMeasure) {
  Progress silent;
  const auto floats = measure_sensitivity(options("fp16"), silent);
  ASSERT_FALSE(floats.ok());
  EXPECT_NE(floats.error().message.find("nothing to measure"), std::string::npos) << floats.error().message;
  SensitivityOptions small = options("w4");
  small.size_share = 0.1;
  const auto tight = measure_sensitivity(small, silent);
  ASSERT_FALSE(tight.ok());
  EXPECT_EQ(tight.error().option, "size");
}

}  // namespace
}  // namespace fastvlm
