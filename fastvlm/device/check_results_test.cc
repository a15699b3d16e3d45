#include "fastvlm/device/check_results.h"

#include <cmath>

#include "fastvlm/device/bundle_for_tests.h"

namespace fastvlm::device {
namespace {

// A self-test with expected values, and results that are the same.
class CheckResults : public testing::Test {
 protected:
  void SetUp() override {
    test_ = selftest_for_tests();
    test_.probes.front().outputs = {{.name = "model.layers.0", .shape = {1, 1, 4}, .file = "p/0.raw"},
                                    {.name = "model.layers.1", .shape = {1, 1, 4}, .file = "p/1.raw"},
                                    {.name = "model.norm", .shape = {1, 1, 4}, .file = "p/2.raw"}};
    folder_.write("selftest/selftest.json", selftest_text(test_));
    put("picture_1/in_pixel_values.raw", std::vector<float>(3 * 64 * 64, 0.5f));
    for (const char* file : {"vision_64/image_features.raw", "picture_1/image_features.raw", "p/0.raw", "p/1.raw", "p/2.raw"})
      put(file, kRow);
    put("picture_1/logits.raw", kLogits);
    result("vision_64/image_features.raw", kRow);
    result("picture_1/image_features.raw", kRow);
    result("picture_1/logits.raw", kLogits);
    for (const char* name : {"model.layers.0", "model.layers.1", "model.norm"})
      result(std::string("decoder_probed/") + name + ".raw", kRow);
    write_ids({0, 3});
  }
  void put(const std::string& file, const std::vector<float>& values) {
    folder_.write("selftest/" + file, {reinterpret_cast<const char*>(values.data()), values.size() * 4});
  }
  void result(const std::string& file, const std::vector<float>& values) {
    folder_.write("results/" + file, {reinterpret_cast<const char*>(values.data()), values.size() * 4});
  }
  void write_ids(const std::vector<std::int32_t>& ids) {
    folder_.write("results/picture_1/ids.raw", {reinterpret_cast<const char*>(ids.data()), ids.size() * 4});
  }
  VerifyReport check() {
    auto report = check_results({.bundle = folder_.path(), .results = folder_ / "results", .gates = {}});
    EXPECT_TRUE(report.ok()) << report.error().message;
    return report.ok() ? *report : VerifyReport();
  }
  std::string missed(const VerifyReport& report) {
    std::string sentences;
    for (const VerifyRow& row : report.rows)
      if (row.outcome == Outcome::kMissed) sentences += row.subject + ": " + row.sentence + "\n";
    return sentences;
  }
  const std::vector<float> kRow = {1, 2, 3, 4}, kLogits = {4, 1, 0, 0, 0, 1, 2, 6};
  SelfTest test_;
  FolderForTests folder_;
};

TEST_F(CheckResults, TheSameNumbersPass) {
  const VerifyReport report = check();
  EXPECT_TRUE(report.passed()) << missed(report);
  EXPECT_EQ(report.rows.size(), 6u);
  EXPECT_EQ(report.count(Outcome::kNotCompared), 0);
}

TEST_F(CheckResults, TheFirstTensorThatDepartsIsNamedAndNoOther) {
  for (const char* name : {"model.layers.1", "model.norm"}) result(std::string("decoder_probed/") + name + ".raw", {1, 2, 3, 5});
  const std::string sentences = missed(check());
  EXPECT_NE(sentences.find("the first tensor that departs is \"model.layers.1\" of layer 1"), std::string::npos) << sentences;
  EXPECT_EQ(sentences.find("model.norm"), std::string::npos) << sentences;
}

TEST_F(CheckResults, WrongNumbersIdsAndSizesAreMisses) {
  result("vision_64/image_features.raw", {1, 2, 3, NAN});
  result("picture_1/image_features.raw", {1, 2, 3});
  result("picture_1/logits.raw", {0, 1, 0, 4, 0, 1, 2, 6});
  write_ids({3, 3});
  const std::string sentences = missed(check());
  for (const char* words : {"NaN", "has 12 bytes", "picture_1/logits", "KL ", "choice 1 is 3 on the device, 0 on the CPU"})
    EXPECT_NE(sentences.find(words), std::string::npos) << words << "\n" << sentences;
}

// Far above the gate, and yet it is where 12 dB went.
TEST_F(CheckResults, WhenAnOutputIsWrongTheLayerWhereTheNumbersFallIsNamed) {
  const std::vector<float> near = {1, 2, 3, 4.003f}, fallen = {1, 2, 3, 4.02f};
  result("decoder_probed/model.layers.0.raw", near);
  for (const char* name : {"model.layers.1", "model.norm"}) result(std::string("decoder_probed/") + name + ".raw", fallen);
  EXPECT_TRUE(check().passed());
  result("picture_1/logits.raw", {4, 1, 0, 0, 1, 1, 2, 6});
  const std::string sentences = missed(check());
  EXPECT_NE(sentences.find("the first tensor that departs is \"model.layers.1\" of layer 1"), std::string::npos) << sentences;
}

TEST_F(CheckResults, AChoiceMayBeAnotherWhereTheLogitsAreNoFurtherApartThanTheyMoved) {
  put("picture_1/logits.raw", {4, 1, 0, 0, 0, 1, 5.99f, 6});
  result("picture_1/logits.raw", {4, 1, 0, 0, 0, 1, 6.01f, 6});
  write_ids({0, 2});
  EXPECT_TRUE(check().passed()) << missed(check());
  write_ids({0, 1});
  EXPECT_NE(missed(check()).find("choice 2 is 1 on the device, 3 on the CPU"), std::string::npos);
}

TEST_F(CheckResults, WhatTheDeviceDidNotWriteIsNotComparedButAnAnswerThereMustBe) {
  std::filesystem::remove_all(folder_ / "results/decoder_probed");
  std::filesystem::remove(folder_ / "results/picture_1/logits.raw");
  const VerifyReport some = check();
  EXPECT_TRUE(some.passed()) << missed(some);
  EXPECT_EQ(some.count(Outcome::kNotCompared), 4);
  std::filesystem::remove(folder_ / "results/picture_1/ids.raw");
  EXPECT_EQ(missed(check()), "picture_1 ids: the device gave no answer, so its self-test did not come to an end; run it again\n");
  std::filesystem::remove_all(folder_ / "results");
  std::filesystem::create_directories(folder_ / "results");
  EXPECT_FALSE(check().passed());
}

TEST_F(CheckResults, ResultsOfAnotherSelfTestAreRefused) {
  folder_.write("results/results.json", R"({"selftest_sha256": "00"})");
  const auto report = check_results({.bundle = folder_.path(), .results = folder_ / "results", .gates = {}});
  ASSERT_FALSE(report.ok());
  EXPECT_NE(report.error().message.find("of another self-test"), std::string::npos);
}

TEST(Divergence, IsThatOfTheSoftmax) {
  const std::vector<float> p = {0, std::log(3.0f), 0, 0}, q = {0, 0, 0, 0};
  const Divergence apart = divergence(p, q, 2);
  const double expected = 0.25 * std::log(0.25 / 0.5) + 0.75 * std::log(0.75 / 0.5);
  EXPECT_NEAR(apart.largest, expected, 1e-6);
  EXPECT_NEAR(apart.mean, expected / 2, 1e-6);
  EXPECT_EQ(divergence(p, p, 2).largest, 0);
}

}  // namespace
}  // namespace fastvlm::device
