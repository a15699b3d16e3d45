#include "fastvlm/compile/speed_bound.h"

#include <gtest/gtest.h>

#include "fastvlm/targets/registry.h"

namespace fastvlm {
namespace {

GraphWork work(GraphRole role, const GraphExtents& extents, std::uint64_t weight_bytes, std::int64_t macs) {
  GraphWork work{.graph = {.role = role, .extents = extents}, .weight_bytes = weight_bytes};
  work.graph.macs = macs;
  return work;
}

const Chip& chip(const char* name) { return *find_chip(known_targets(), name)->chip; }

TEST(SpeedBound, PartsOfADecoderAreOneRun) {
  GraphWork works[] = {
      work(GraphRole::kVision, {.image_size = 1024}, 100, 7),
      work(GraphRole::kDecoder, {.new_tokens = 128, .context = 1024, .part = 1, .parts = 2}, 10, 1),
      work(GraphRole::kDecoder, {.new_tokens = 1, .context = 1024, .part = 1, .parts = 2}, 10, 2),
      work(GraphRole::kDecoder, {.new_tokens = 1, .context = 1024, .part = 2, .parts = 2}, 30, 3),
      work(GraphRole::kDecoder, {.new_tokens = 1, .context = 1024, .recipe = "w8"}, 5, 4),
      work(GraphRole::kFused, {.vision_tokens = 4, .text_tokens = 6}, 1, 1),
  };
  works[2].spill_fill_bytes = 8;
  works[3].spill_fill_bytes = 4;
  const std::vector<RunWork> runs = runs_of(works);
  ASSERT_EQ(runs.size(), 4U);
  EXPECT_EQ(runs[0].what, "picture of 1024 pixels");
  EXPECT_EQ(runs[1].what, "128 tokens, fp16");
  EXPECT_EQ(runs[1].units, 128);
  EXPECT_EQ(runs[2].what, "1 token, fp16");
  EXPECT_EQ(runs[2].weight_bytes, 40U);
  EXPECT_EQ(runs[2].spill_fill_bytes, 12U);
  EXPECT_EQ(runs[2].macs, 5);
  EXPECT_EQ(runs[3].what, "1 token, w8");
}

TEST(SpeedBound, IsTheSlowerOfMemoryAndArithmetic) {
  Chip made_up{.memory_bytes_per_second = 1e9, .macs_per_second = 1e12};
  EXPECT_DOUBLE_EQ(*least_seconds(made_up, {.weight_bytes = kKeptBytes + 2'000'000'000, .macs = 1}), 2);
  EXPECT_DOUBLE_EQ(*least_seconds(made_up, {.weight_bytes = kKeptBytes + 2'000'000'000, .macs = 5'000'000'000'000}), 5);
  EXPECT_DOUBLE_EQ(*least_seconds(made_up, {.weight_bytes = kKeptBytes, .macs = 5'000'000'000'000}), 5) << "weights may stay on the chip";
  EXPECT_DOUBLE_EQ(*least_seconds(made_up, {.weight_bytes = kKeptBytes, .spill_fill_bytes = 1'000'000'000, .macs = 1}), 2)
      << "written and read back";
  made_up.macs_per_second = 0;
  EXPECT_FALSE(least_seconds(made_up, {.weight_bytes = kKeptBytes, .macs = 5}).has_value());
}

TEST(SpeedBound, IsNotKnownForChipsWithoutAPublishedFigure) {
  const RunWork run{.what = "1 token, fp16", .unit = "tokens", .weight_bytes = 988'000'000, .macs = 494'000'000};
  const OrderedJson known = speed_bound_json(chip("sm8750"), {&run, 1}), unknown = speed_bound_json(chip("sm8845"), {&run, 1});
  EXPECT_NEAR(known["runs"][0]["least_seconds"].get<double>(), (988e6 - 33554432) / 84.8e9, 1e-9);
  EXPECT_NEAR(known["runs"][0]["most_per_second"].get<double>(), 84.8e9 / (988e6 - 33554432), 1e-6);
  EXPECT_TRUE(known["macs_per_second"].is_null());
  EXPECT_TRUE(unknown["runs"][0]["least_seconds"].is_null());
  EXPECT_TRUE(unknown["source"].is_null());
}

TEST(SpeedBound, EachFigureNamesItsSource) {
  for (const Target* target : known_targets())
    for (const Chip& one : target->chips())
      EXPECT_EQ(one.memory_bytes_per_second > 0 || one.macs_per_second > 0, !one.speed_source.empty()) << one.name;
}

}  // namespace
}  // namespace fastvlm
