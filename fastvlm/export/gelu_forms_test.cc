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
  for (const float reach : {0.01F, 1.0F, 4.0F, 4.5F}) EXPECT_EQ(gelu_choice_for(spread(reach)).form, kFast) << reach;
  for (const float reach : {6.0F, 20.0F, 71.0F, 300.0F, 20000.0F}) EXPECT_EQ(gelu_choice_for(spread(reach)).form, kJoined) << reach;
}

TEST(GeluForms, AFewOutliersDecideByWhatTheyWeigh) {
  ValueRange range = spread(1);
  for (int i = 0; i < 99; ++i) range.merge(spread(1));
  range.observe(std::vector<float>{40});
  EXPECT_EQ(gelu_choice_for(range).form, kFast);
  range.observe(std::vector<float>{4000});
  EXPECT_EQ(gelu_choice_for(range).form, kJoined);
}

TEST(GeluForms, TheReasonIsWhatWasSeen) {
  EXPECT_EQ(gelu_choice_for(spread(2.5F)).why, "inputs reach 2.5");
  EXPECT_EQ(gelu_choice_for(spread(8)).why, "inputs reach 8, 50 % above 4");
}

ExportOptions with_ranges(RangeOptions::Source source) {
  ExportOptions options;
  options.ranges = RangeOptions{.source = source};
  options.ranges->ranges.values = {{"a", spread(1)}, {"b", spread(100)}, {"never", {}}, {"broken", spread(1)}};
  options.ranges->ranges.values["broken"].not_finite = 1;
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
