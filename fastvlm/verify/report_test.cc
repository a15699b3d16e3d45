#include "fastvlm/verify/report.h"

#include <gtest/gtest.h>

#include <limits>

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

}  // namespace
}  // namespace fastvlm
