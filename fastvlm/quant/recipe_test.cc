#include "fastvlm/quant/recipe.h"

#include <gtest/gtest.h>

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/ops/semantic.h"

namespace fastvlm {
namespace {

std::string with_rules(const std::string& rules) { return R"({"name": "mine", "rules": [)" + rules + "]}"; }

TEST(Recipe, AFileSaysInOrderHowWhichWeightIsStored) {
  auto recipe = parse_recipe(R"({"name": "mine", "about": "a try", "rules": [
    {"match": "*.down_proj.weight", "weights": "float"},
    {"match": "*", "weights": {"bits": 4, "block": 32}}]})",
                             "mine.json");
  ASSERT_TRUE(recipe.ok()) << recipe.error().message;
  const Recipe expected{.name = "mine",
                        .about = "a try",
                        .rules = {{.match = "*.down_proj.weight"}, {.match = "*", .weights = WeightEncoding{{.bits = 4, .block = 32}}}}};
  EXPECT_EQ(*recipe, expected);
}

TEST(Recipe, BesideActivationsInIntegersAScaleBelongsToAChannelOrABlock) {
  auto recipe = parse_recipe(R"({"name": "mine", "rules": [{"match": "lm_head.weight", "weights": "float"},
    {"match": "*", "weights": {"bits": 8}}, {"match": "a", "weights": {"bits": 4, "block": 64}}], "activations": "int16"})",
                             "mine.json");
  ASSERT_TRUE(recipe.ok()) << recipe.error().message;
  EXPECT_EQ(recipe->activations, Activations::kInt16);
  ASSERT_TRUE(recipe->rules[1].weights.has_value());
  EXPECT_TRUE(recipe->rules[1].weights->by_channel);
  EXPECT_EQ(recipe->rules[1].weights->blocks.bits, 8);
  EXPECT_EQ(recipe->rules[2].weights, (WeightEncoding{.blocks = {.bits = 4, .block = 64}}));
  EXPECT_FALSE(recipe->is_float());
}

TEST(Recipe, TheTextOfEveryBuiltInOneIsReadBackAsTheSame) {
  for (const Recipe& recipe : known_recipes()) {
    auto again = parse_recipe(recipe_text(recipe), "file");
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_EQ(*again, recipe) << recipe.name;
  }
}

TEST(Recipe, WhatIsNotAsExpectedIsRefusedWithOneSentence) {
  struct Case {
    std::string text, sentence;
  };
  const Case cases[] = {
      {"[]", "r.json: "},
      {R"({"name": "mine"})", R"(r.json: the key "rules")"},
      {R"({"rules": []})", R"(r.json: the key "name")"},
      {R"({"name": "Mine_1", "rules": []})", R"(the key "name" must be of a-z, 0-9 and '-')"},
      {R"({"name": "w8", "rules": []})", R"("w8" is the name of a built-in recipe with other rules)"},
      {R"({"name": "mine", "rules": [], "rule": 1})", R"(the key "rule" is not known; known are "name", "about", "activations", "rules")"},
      {R"({"name": "mine", "rules": [], "activations": "int4"})",
       R"(the key "activations" must be "float", "int16", "int16-int8" or "integers", but is "int4")"},
      {R"({"name": "mine", "activations": "int16", "rules": [{"match": "*", "weights": {"bits": 8, "block": 63}}]})",
       R"(the key "block" must be 16, 32, 64 or 128, but is 63)"},
      {R"({"name": "mine", "activations": "int16", "rules": [{"match": "*", "weights": {"bits": 4}}]})",
       R"(the key "bits" must be 8 without the key "block", but is 4)"},
      {R"({"name": "w8a16", "rules": [{"match": "*", "weights": {"bits": 8, "block": 64}}]})",
       R"("w8a16" is the name of a built-in recipe with other rules)"},
      {with_rules(R"({"weights": "float"})"), R"(r.json: rules[0]: the key "match")"},
      {with_rules(R"({"match": "", "weights": "float"})"), R"(the key "match" must be the name of a weight)"},
      {with_rules(R"({"match": "a[0]", "weights": "float"})"), R"(but is "a[0]")"},
      {with_rules(R"({"match": "*"})"), R"(the key "weights" is missing)"},
      {with_rules(R"({"match": "*", "weights": "int8"})"), R"(must be "float" or an object)"},
      {with_rules(R"({"match": "*", "weights": {"bits": 5, "block": 32}})"), R"(the key "bits" must be 4 or 8, but is 5)"},
      {with_rules(R"({"match": "*", "weights": {"bits": 4, "block": 48}})"), R"(the key "block" must be 16, 32, 64 or 128, but is 48)"},
      {with_rules(R"({"match": "*", "weights": {"bits": 4}})"), R"(the key "block")"},
      {with_rules(R"({"match": "*", "weights": {"bits": 4, "block": 32, "axis": 1}})"), R"(the key "axis" is not known)"},
  };
  for (const Case& c : cases) {
    auto recipe = parse_recipe(c.text, "r.json");
    ASSERT_FALSE(recipe.ok()) << c.text;
    EXPECT_EQ(recipe.error().kind, ErrorKind::kBadInput) << c.text;
    EXPECT_NE(recipe.error().message.find(c.sentence), std::string::npos) << recipe.error().message;
  }
}

TEST(Recipe, IsFoundByNameOrByTheFileOfAPath) {
  FolderForTests folder;
  const Path file = folder.write("mine.json", with_rules(R"({"match": "*", "weights": {"bits": 8, "block": 128}})"));
  auto built_in = find_recipe("w4"), own = find_recipe(file.string());
  ASSERT_TRUE(built_in.ok() && own.ok());
  EXPECT_EQ(built_in->name, "w4");
  EXPECT_EQ(own->rules.size(), 1u);
  EXPECT_EQ(
      find_recipe("w5").error().message,
      "`recipe` w5: is not known; built in are fp16, w8, w4, w8a16, w4a16, w8a16-int, and a file is given by a path such as ./mine.json");
  EXPECT_EQ(find_recipe((folder / "none.json").string()).error().kind, ErrorKind::kBadInput);
}

TEST(Recipe, ABlockThatIsLongerThanTheRowsOrLeavesARestIsHalvedUntilItFits) {
  const Recipe w8 = find_recipe("w8").value();
  struct Case {
    std::int64_t columns;
    std::int64_t block;  // 0: the weight stays a float
  };
  for (const Case& c :
       {Case{896, 128}, Case{4864, 128}, Case{128, 128}, Case{64, 64}, Case{96, 32}, Case{160, 32}, Case{48, 16}, Case{40, 0}}) {
    Graph graph("rows");
    const Value x = graph.add_input("x", Dtype::kFloat32, {1, 1, c.columns});
    ops::linear(x, Weight::of_values({2, c.columns}, std::vector<float>(static_cast<std::size_t>(2 * c.columns), 1), "rows"));
    encode_weights(graph, w8.rules);
    const auto& encoding = graph.value(graph.nodes()[0].inputs[1]).encoding;
    EXPECT_EQ(encoding ? encoding->blocks.block : 0, c.block) << c.columns;
  }
}

TEST(Recipe, APatternMatchesWholeNamesAndTakesNoTimeWithManyStars) {
  struct Case {
    std::string pattern, name;
    bool matches;
  };
  const Case cases[] = {{"*", "", true},
                        {"*", "model.norm.weight", true},
                        {"", "", true},
                        {"", "a", false},
                        {"*.v_proj.weight", "model.layers.0.self_attn.v_proj.weight", true},
                        {"*.v_proj.weight", "model.layers.0.self_attn.v_proj.bias", false},
                        {"model.layers.1.*", "model.layers.11.mlp.up_proj.weight", false},
                        {"*a*b", "xaab", true},
                        {"*a*b", "xaabc", false},
                        {"a**", "a", true},
                        {std::string(40, '*') + "b", std::string(200, 'a'), false},
                        {"*a*a*a*a*a*a*a*a*a*a*a*a*b", std::string(200, 'a'), false}};
  for (const Case& c : cases) EXPECT_EQ(matches(c.pattern, c.name), c.matches) << c.pattern << " " << c.name;
}

}  // namespace
}  // namespace fastvlm
