#include "fastvlm/verify/report.h"

#include <gtest/gtest.h>

#include <limits>

#include "fastvlm/verify/golden_pixels.h"

namespace fastvlm {
namespace {

Tensor of(std::vector<float> values) { return Tensor::of_floats({static_cast<std::int64_t>(values.size())}, values); }

TEST(Report, PassesWithinTheGateAndMissesBeyondIt) {
  struct Row {
    Tensor actual;
    Gate gate;
    bool passes;
  };
  const Tensor expected = of({1, -2, 0.5f});
  const Row rows[] = {{of({1, -2, 0.5f}), kFloatGate, true},
                      {of({1.00001f, -2, 0.5f}), kFloatGate, true},
                      {of({1.001f, -2, 0.5f}), kFloatGate, false},
                      {of({1.0001f, -2, 0.5f}), kStaticGate, true},
                      {of({1.001f, -2, 0.5f}), NpuGates().features, true},
                      {of({1.1f, -2, 0.5f}), NpuGates().logits, false},
                      {of({std::numeric_limits<float>::quiet_NaN(), -2, 0.5f}), NpuGates().logits, false},
                      {of({1, -2}), kStaticGate, false}};
  for (const Row& row : rows) {
    VerifyReport report;
    EXPECT_EQ(report.compare({"golden", "x", "test", row.gate}, row.actual, expected), row.passes);
    EXPECT_EQ(report.passed(), row.passes);
  }
}

TEST(Report, WhatWasNotComparedNeitherPassesNorFails) {
  VerifyReport report;
  report.skip("golden", "chat.logits", "not compared: needs npu/");
  EXPECT_TRUE(report.passed());
  EXPECT_EQ(report.count(Outcome::kPassed), 0);
  EXPECT_EQ(to_json(report)["rows"][0]["verdict"], "not compared");
  EXPECT_EQ(to_table(report)[1][6], "not compared");
}

TEST(Report, JsonHoldsNoInfinity) {
  VerifyReport report;
  report.compare({"golden", "x", "test", kFloatGate}, of({std::numeric_limits<float>::infinity()}), of({0}));
  report.compare({"golden", "y", "test", kFloatGate}, of({1}), of({0}));
  const std::string text = to_json(report).dump();
  EXPECT_TRUE(Json::accept(text));
  EXPECT_EQ(text.find(":inf"), std::string::npos);
  EXPECT_FALSE(report.passed());
}

TEST(GoldenPixels, ComeFromTheSeedAndLeaveStoredOnesAlone) {
  std::vector<NamedTensor> tensors = {{"s128.b2.pixel_values", of({5})}};
  ASSERT_TRUE(add_golden_pixels(tensors, {{kPixelSeedKey, "101"}}, "test").ok());
  ASSERT_EQ(tensors.size(), 4u);
  EXPECT_EQ(tensors[0].tensor.floats()[0], 5);
  EXPECT_EQ(tensors[1].name, "s128.b1.pixel_values");
  EXPECT_EQ(tensors[1].tensor.shape, (Shape{1, 3, 128, 128}));
  for (float value : tensors[1].tensor.floats()) ASSERT_TRUE(value >= 0 && value < 1);
}

TEST(GoldenPixels, NeedASeedThatIsANumber) {
  std::vector<NamedTensor> tensors;
  ASSERT_TRUE(add_golden_pixels(tensors, {}, "test").ok());
  EXPECT_TRUE(tensors.empty());
  for (const char* seed : {"", "x", "-1", "4294967296", "1 "})
    EXPECT_FALSE(add_golden_pixels(tensors, {{kPixelSeedKey, seed}}, "test").ok()) << seed;
}

}  // namespace
}  // namespace fastvlm
