#include "fastvlm/export/gelu_forms.h"

#include <gtest/gtest.h>

#include <cmath>

namespace fastvlm {
namespace {

// Numbers from -reach to reach, evenly.
ValueRange spread(float reach) {
  std::vector<float> numbers;
  for (int i = -500; i <= 500; ++i) numbers.push_back(reach * static_cast<float>(i) / 500);
  ValueRange range;
  range.observe(numbers);
  return range;
}

using enum ops::GeluForm;

// Of numbers that are spread evenly as many lie on both sides of 4 as it takes where they reach about 5.
TEST(GeluForms, SmallInputsAreFastAndLargeOnesJoined) {
  for (const float reach : {0.01F, 1.0F, 4.0F, 4.5F}) EXPECT_EQ(quick_gelu(spread(reach)).choice.form, kFast) << reach;
  for (const float reach : {6.0F, 20.0F, 71.0F, 300.0F, 20000.0F}) EXPECT_EQ(quick_gelu(spread(reach)).choice.form, kJoined) << reach;
}

TEST(GeluForms, AFewOutliersDecideByWhatTheyWeigh) {
  ValueRange range = spread(1);
  for (int i = 0; i < 99; ++i) range.merge(spread(1));
  range.observe(std::vector<float>{40});
  EXPECT_EQ(quick_gelu(range).choice.form, kFast);
  range.observe(std::vector<float>{4000});
  EXPECT_EQ(quick_gelu(range).choice.form, kJoined);
}

TEST(GeluForms, TheReasonIsWhatWasSeen) {
  EXPECT_EQ(quick_gelu(spread(2.5F)).choice.why, "inputs reach 2.5");
  EXPECT_EQ(quick_gelu(spread(8)).choice.why, "inputs reach 8, 50 % above 4");
}

ExportOptions with_ranges(RangeOptions::Source source) {
  ExportOptions options;
  options.ranges = RangeOptions{.source = source};
  options.ranges->ranges.values = {
      {"a/Abs:0", spread(1)}, {"b/Abs:0", spread(100)}, {"never/Abs:0", {}}, {"broken/Abs:0", spread(1)}, {"a/Conv:0", spread(100)}};
  options.ranges->ranges.values["broken/Abs:0"].not_finite = 1;
  return options;
}

TEST(GeluForms, AutoGoesByMeasuredRangesOnly) {
  const ops::GeluForms forms = gelu_forms(with_ranges(RangeOptions::Source::kMeasured));
  EXPECT_EQ(forms.otherwise.form, kExact);
  ASSERT_EQ(forms.of.size(), 2u);
  EXPECT_EQ(forms.of.at("a").form, kFast);
  EXPECT_EQ(forms.of.at("b").form, kJoined);
  for (const ops::GeluForms& unknown : {gelu_forms({}), gelu_forms(with_ranges(RangeOptions::Source::kBuiltIn))}) {
    EXPECT_EQ(unknown.otherwise.form, kExact);
    EXPECT_TRUE(unknown.of.empty());
  }
}

TEST(GeluForms, WhatIsLostIsAShareOfTheResult) {
  EXPECT_EQ(quick_gelu(spread(2)).loss, 0);
  EXPECT_NEAR(quick_gelu(spread(4.5F)).loss, 7e-4, 1e-4) << "a tenth of the inputs, with half of the power, is 0.1 % too large";
  EXPECT_LT(quick_gelu(spread(300)).loss, 5e-6);
  EXPECT_EQ(quick_gelu(spread(0)).loss, 0);
}

TEST(GeluForms, TheWorstAreExactWhereAllTogetherLoseTooMuch) {
  ExportOptions options;
  options.ranges = RangeOptions();
  auto& values = options.ranges->ranges.values;
  values["worst/Abs:0"] = spread(4.6F);
  for (int i = 0; i < 8; ++i) values[fmt::format("{}/Abs:0", i)] = spread(4.2F);
  const ops::GeluForms few = gelu_forms(options);
  EXPECT_EQ(few.of.at("worst").form, kFast);
  values["8/Abs:0"] = spread(4.2F);
  const ops::GeluForms many = gelu_forms(options);
  EXPECT_EQ(many.of.at("worst").form, kExact);
  EXPECT_EQ(many.of.at("worst").why, "inputs reach 4.6, 13 % above 4; with the other GELUs a quick form would lose too much");
  EXPECT_EQ(many.of.at("0").form, kFast);
}

TEST(GeluForms, WhatIsAskedForIsTaken) {
  ExportOptions options = with_ranges(RangeOptions::Source::kMeasured);
  for (const auto& [policy, form] : {std::pair(GeluPolicy::kExact, kExact), std::pair(GeluPolicy::kFast, kFast)}) {
    options.gelu = policy;
    EXPECT_EQ(gelu_policy_of(name(policy)), policy);
    const ops::GeluForms forms = gelu_forms(options);
    EXPECT_EQ(forms.otherwise.form, form);
    EXPECT_EQ(forms.otherwise.why, "asked for");
    EXPECT_TRUE(forms.of.empty());
  }
}

}  // namespace
}  // namespace fastvlm
