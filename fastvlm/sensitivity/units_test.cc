#include "fastvlm/sensitivity/units.h"

#include <gtest/gtest.h>

#include <map>

#include "fastvlm/quant/recipe.h"

namespace fastvlm {
namespace {

std::vector<ModelPart> two_layers(bool tied) {
  TextConfig text;
  text.num_hidden_layers = 2;
  text.tie_word_embeddings = tied;
  return decoder_parts_of(text);
}

std::vector<std::string> names_of(const std::vector<Trial>& trials) {
  std::vector<std::string> names;
  for (const Trial& trial : trials) names.push_back(trial.name);
  return names;
}

Recipe recipe(const std::string& name) { return find_recipe(name).value(); }

TEST(Trials, ThereIsOneForEachMatrixAndAWiderOneWhereItHasFourBits) {
  const std::vector<Trial> trials = trials_of(recipe("w4"), two_layers(true), Granularity::kModules);
  // v_proj and head have 8 bits already.
  EXPECT_EQ(names_of(trials), (std::vector<std::string>{"m0", "m0-wide", "m1", "m1-wide", "m2", "m3", "m3-wide", "m4", "m4-wide", "m5",
                                                        "m5-wide", "m6", "m6-wide", "head"}));
  EXPECT_EQ(names_of(trials_of(recipe("w8"), two_layers(true), Granularity::kLayers)), (std::vector<std::string>{"layer", "head"}));
  EXPECT_EQ(names_of(trials_of(recipe("w4a16"), two_layers(true), Granularity::kLayers)),
            (std::vector<std::string>{"activations", "layer", "layer-wide", "head"}));
  EXPECT_TRUE(trials_of(Recipe(), two_layers(true), Granularity::kModules).empty());
}

TEST(Trials, ARecipeOfOneStoresItsWeightsAndNoOthers) {
  const std::vector<ModelPart> parts = two_layers(false);
  const Recipe four = recipe("w4");
  for (const Granularity granularity : {Granularity::kModules, Granularity::kLayers})
    for (const Trial& trial : trials_of(four, parts, granularity)) {
      const Recipe made = recipe_of(trial, four, parts);
      for (const ModelPart& part : parts) {
        const std::vector<std::string> stored = weights_of(trial, part);
        for (const std::string& weight : part.weights) {
          const bool mine = std::ranges::find(stored, weight) != stored.end();
          EXPECT_EQ(encoding_of(made, weight).has_value(), mine) << trial.name << " " << weight;
          if (!mine) continue;
          const int own = encoding_of(four, weight)->blocks.bits, bits = encoding_of(made, weight)->blocks.bits;
          EXPECT_EQ(bits, trial.encoding ? 8 : own) << trial.name << " " << weight;
        }
      }
    }
}

TEST(Trials, HeedRulesThatTellLayersApart) {
  const Recipe mine{.name = "mine",
                    .rules = {{"model.layers.1.*", std::nullopt}, {"*.q_proj.weight", WeightEncoding{.blocks = {.bits = 4, .block = 32}}}}};
  const std::vector<ModelPart> parts = two_layers(false);
  const std::vector<Trial> trials = trials_of(mine, parts, Granularity::kModules);
  EXPECT_EQ(names_of(trials), (std::vector<std::string>{"m0", "m0-wide"}));
  const Recipe made = recipe_of(trials[1], mine, parts);
  EXPECT_EQ(encoding_of(made, "model.layers.0.self_attn.q_proj.weight"), eight_bits(Activations::kFloat));
  EXPECT_FALSE(encoding_of(made, "model.layers.1.self_attn.q_proj.weight"));
}

TEST(Trials, OfATowerAreItsPiecesAndHaveNoActivationsAlone) {
  const std::vector<ModelPart> pieces = {
      {PartKind::kTower, "model.vision_tower.stem", {"model.vision_tower.stem.0.weight"}},
      {PartKind::kTower, "model.multi_modal_projector", {"model.multi_modal_projector.linear_1.weight"}}};
  for (const Granularity granularity : {Granularity::kModules, Granularity::kLayers})
    EXPECT_EQ(names_of(trials_of(recipe("w8a16"), pieces, granularity)), (std::vector<std::string>{"tower"}));
  Recipe mine{.name = "mine",
              .rules = {{"*.linear_1.weight", WeightEncoding{.blocks = {.bits = 4, .block = 32}}}, {"*", eight_bits(Activations::kInt16)}},
              .activations = Activations::kInt16};
  const std::vector<Trial> trials = trials_of(mine, pieces, Granularity::kModules);
  ASSERT_EQ(names_of(trials), (std::vector<std::string>{"tower", "tower-wide"}));
  EXPECT_EQ(words(trials[0], mine, pieces[1]), "4 bits, blocks of 32");
  EXPECT_EQ(words(trials[1], mine, pieces[1]), "8 bits by channel");
  EXPECT_EQ(recipe_of(trials[1], mine, pieces).rules[0], (EncodingRule{pieces[0].weights[0], eight_bits(Activations::kInt16)}));
  EXPECT_TRUE(weights_of(trials[0], two_layers(true)[0]).empty());
}

TEST(Trials, TheirEncodingsHaveWords) {
  EXPECT_EQ(words(std::nullopt), "float");
  EXPECT_EQ(words(eight_bits(Activations::kFloat)), "8 bits, blocks of 128");
  EXPECT_EQ(words(eight_bits(Activations::kInt16)), "8 bits by channel");
}

}  // namespace
}  // namespace fastvlm
