#include "fastvlm/chat/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace fastvlm {
namespace {

std::vector<std::int32_t> draw(Sampler& sampler, std::span<const float> logits, int count) {
  std::vector<std::int32_t> ids;
  for (int i = 0; i < count; ++i) ids.push_back(*sampler.sample(logits));
  return ids;
}

TEST(Sampler, TakesTheFirstOfTheHighestThatAreAllowed) {
  const std::vector<float> logits = {1, 5, 9, 5, 2, 99};
  Sampler sampler({}, {true, true, false, true, true});
  EXPECT_EQ(*sampler.sample(logits), 1);
}

TEST(Sampler, DrawsAsOftenAsTheSoftmaxSays) {
  const double temperature = 0.7;
  const std::vector<float> logits = {0.0f, 1.0f, 2.0f, 30.0f};
  Sampler sampler({.temperature = temperature, .seed = 3}, {true, true, true, false});
  std::vector<int> counts(4);
  const int draws = 20'000;
  for (std::int32_t id : draw(sampler, logits, draws)) ++counts[static_cast<std::size_t>(id)];
  double sum = 0;
  for (int i = 0; i < 3; ++i) sum += std::exp(i / temperature);
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(counts[static_cast<std::size_t>(i)], draws * std::exp(i / temperature) / sum, 0.015 * draws) << i;
  EXPECT_EQ(counts[3], 0);
}

TEST(Sampler, RepeatsItselfFromTheSeed) {
  const std::vector<float> logits(50, 0.0f);
  const std::vector<bool> allowed(50, true);
  Sampler one({.temperature = 1, .seed = 5}, allowed), same({.temperature = 1, .seed = 5}, allowed),
      other({.temperature = 1, .seed = 6}, allowed);
  const auto ids = draw(one, logits, 40);
  EXPECT_EQ(draw(same, logits, 40), ids);
  EXPECT_NE(draw(other, logits, 40), ids);
  one.restart();
  EXPECT_EQ(draw(one, logits, 40), ids);
}

TEST(Sampler, StaysExactWithHugeLogitsAndSmallTemperatures) {
  Sampler sampler({.temperature = 1e-3, .seed = 1}, {true, true, true});
  EXPECT_EQ(*sampler.sample(std::vector<float>{-3e38f, 3e38f, 0}), 1);
}

TEST(Sampler, RefusesLogitsThatAreNotFinite) {
  Sampler sampler({}, {true, true, false});
  EXPECT_FALSE(sampler.sample(std::vector<float>{0, std::numeric_limits<float>::quiet_NaN(), 0}).ok());
  EXPECT_FALSE(sampler.sample(std::vector<float>{0, std::numeric_limits<float>::infinity(), 0}).ok());
  EXPECT_TRUE(sampler.sample(std::vector<float>{0, 1, std::numeric_limits<float>::infinity()}).ok());
  EXPECT_FALSE(sampler.sample({}).ok());
}

TEST(Sampler, RefusesTemperaturesThatMakeNoSense) {
  for (double bad : {-0.1, 1e-5, 1e9, std::nan("")}) EXPECT_FALSE(check_sampling({.temperature = bad}).ok()) << bad;
  for (double good : {0.0, 0.2, 1.0}) EXPECT_TRUE(check_sampling({.temperature = good}).ok()) << good;
}

}  // namespace
}  // namespace fastvlm
