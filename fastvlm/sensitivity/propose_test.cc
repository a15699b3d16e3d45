#include "fastvlm/sensitivity/propose.h"

#include <gtest/gtest.h>

#include "fastvlm/quant/recipe.h"

namespace fastvlm {
namespace {

constexpr WeightEncoding kEight = {.blocks = {.bits = 8, .block = 64}};

// A weight of the recipe's 4 bits, in 8 and as a float.
StorageUnit unit(const std::string& weight, std::uint64_t elements, double cost, double cost_of_eight) {
  return {.choices = {{.bytes = elements / 2, .cost = cost},
                      {.rules = {{weight, kEight}}, .bytes = elements, .cost = cost_of_eight},
                      {.rules = {{weight, std::nullopt}}, .bytes = 2 * elements, .cost = 0}}};
}

const std::vector<StorageUnit> kUnits = {
    {.choices = {{.bytes = 1000, .cost = 0.001}}},  // what no recipe changes
    unit("cheap", 100, 0.002, 0.001),
    unit("costly", 100, 0.02, 0.001),
    unit("large", 1000, 0.02, 0.001),
};

TEST(Propose, GivesBytesWhereTheyLowerTheCostMost) {
  struct Case {
    std::uint64_t bytes;
    std::vector<std::size_t> chosen;
  };
  // All in 4 bits take 1,600.
  for (const Case& c : {Case{1600, {0, 0, 0, 0}}, Case{1649, {0, 0, 0, 0}}, Case{1650, {0, 0, 1, 0}}, Case{2150, {0, 0, 1, 1}},
                        Case{2200, {0, 1, 1, 1}}, Case{2400, {0, 2, 2, 1}}, Case{3400, {0, 2, 2, 2}}, Case{99999, {0, 2, 2, 2}}}) {
    const auto chosen = choose(kUnits, {.bytes = c.bytes, .cost = std::nullopt});
    ASSERT_TRUE(chosen.ok()) << c.bytes;
    EXPECT_EQ(*chosen, c.chosen) << c.bytes;
    EXPECT_LE(bytes_of(kUnits, *chosen), c.bytes);
  }
}

TEST(Propose, KeepsABoundOfCostWithTheFewestBytesItFinds) {
  struct Case {
    double cost;
    std::vector<std::size_t> chosen;
  };
  for (const Case& c : {Case{1, {0, 0, 0, 0}}, Case{0.0431, {0, 0, 0, 0}}, Case{0.0241, {0, 0, 1, 0}}, Case{0.0051, {0, 0, 1, 1}},
                        Case{0.001, {0, 2, 2, 2}}}) {
    const auto chosen = choose(kUnits, {.bytes = std::nullopt, .cost = c.cost});
    ASSERT_TRUE(chosen.ok()) << c.cost;
    EXPECT_EQ(*chosen, c.chosen) << c.cost;
    EXPECT_LE(cost_of(kUnits, *chosen), c.cost);
  }
}

TEST(Propose, TakesBackWhatALargerStepMadeNeedless) {
  // Bytes of the small one pay more, but the large one is needed and enough.
  const std::vector<StorageUnit> units = {unit("small", 10, 0.004, 0.001), unit("large", 1000, 0.1, 0.0001)};
  const auto chosen = choose(units, {.bytes = std::nullopt, .cost = 0.0045});
  ASSERT_TRUE(chosen.ok());
  EXPECT_EQ(*chosen, (std::vector<std::size_t>{0, 1}));
}

TEST(Propose, RefusesWhatCannotBe) {
  const auto small = choose(kUnits, {.bytes = 1599, .cost = std::nullopt});
  ASSERT_FALSE(small.ok());
  EXPECT_EQ(small.error().option, "size");
  EXPECT_NE(small.error().message.find("the recipe alone needs 1600"), std::string::npos) << small.error().message;
  const auto good = choose(kUnits, {.bytes = std::nullopt, .cost = 0.0009});
  ASSERT_FALSE(good.ok());
  EXPECT_EQ(good.error().option, "quality");
}

TEST(Propose, TakesFloatsThatAreNoLargerWhateverTheRoom) {
  std::vector<StorageUnit> units = kUnits;
  units.push_back({.choices = {{.bytes = 220, .cost = 0.03}, {.rules = {{"piece.*", std::nullopt}}, .bytes = 200}}, .tower = true});
  const auto sized = choose(units, {.bytes = 1820, .cost = std::nullopt});
  ASSERT_TRUE(sized.ok());
  EXPECT_EQ(*sized, (std::vector<std::size_t>{0, 0, 0, 0, 1}));
  const auto good = choose(units, {.bytes = std::nullopt, .cost = 0.05});
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(*good, (std::vector<std::size_t>{0, 0, 0, 0, 1}));
}

TEST(Propose, KeepsTheRulesOfTowerAndDecoderApart) {
  std::vector<StorageUnit> units = {unit("decoder", 10, 1, 0.1), unit("tower", 10, 1, 0.1)};
  units[1].tower = true;
  EXPECT_EQ(proposed(Recipe(), units, {1, 2}).rules, (std::vector<EncodingRule>{{"decoder", kEight}}));
  EXPECT_EQ(proposed(Recipe(), units, {1, 2}, /*tower=*/true).rules, (std::vector<EncodingRule>{{"tower", std::nullopt}}));
}

TEST(Propose, PutsItsRulesBeforeThoseOfTheRecipe) {
  const Recipe recipe = find_recipe("w4").value();
  const Recipe made = proposed(recipe, kUnits, {0, 0, 1, 2});
  ASSERT_EQ(made.rules.size(), recipe.rules.size() + 2);
  EXPECT_EQ(made.rules[0], (EncodingRule{"costly", kEight}));
  EXPECT_EQ(made.rules[1], (EncodingRule{"large", std::nullopt}));
  EXPECT_EQ(made.rules[2], recipe.rules[0]);
  EXPECT_EQ(proposed(recipe, kUnits, {0, 0, 0, 0}), recipe);
}

}  // namespace
}  // namespace fastvlm
