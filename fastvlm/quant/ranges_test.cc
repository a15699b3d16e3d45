#include "fastvlm/quant/ranges.h"

#include <gtest/gtest.h>

#include <cmath>

#include "fastvlm/base/folder_for_tests.h"

namespace fastvlm {
namespace {

ValueRange range_of(const std::vector<float>& numbers) {
  ValueRange range;
  range.observe(numbers);
  return range;
}

std::vector<double> values_of(const ValueRange& range) {
  std::vector<double> values;
  for (const SquareSum& sum : range.channel_square_sums) values.push_back(sum.value());
  return values;
}

Ranges small_ranges() {
  Ranges ranges{.model = "abc", .pictures = 2, .prompts = 1, .tokens = 30};
  ranges.seen["0f"] = {.of = 3, .parts = {2}};
  ranges.values["model.norm"] = range_of({-1.5F, 0.0F, 0.25F, 70000.0F});
  ranges.values["model.layers.0/Add:0"] = range_of({3});
  ranges.values["model.layers.0/Add:0"].observe_channels(std::vector<float>{3}, 1, 1);
  return ranges;
}

TEST(Ranges, SeesExtremesSquaresAndPowersOfTwo) {
  ValueRange range = range_of({-1.5F, 0.0F, 0.25F, 70000.0F});
  range.observe(std::vector<float>{INFINITY, NAN});
  EXPECT_EQ(range.min, -1.5F);
  EXPECT_EQ(range.max, 70000.0F);
  EXPECT_EQ(range.absmax(), 70000.0F);
  EXPECT_EQ(range.count, 4U);
  EXPECT_EQ(range.not_finite, 2U);
  EXPECT_DOUBLE_EQ(range.square_sum.value(), 2.25 + 0.0625 + 4.9e9);
  EXPECT_EQ(range.histogram[32], 1U);  // 1.5
  EXPECT_EQ(range.histogram[30], 1U);  // 0.25
  EXPECT_EQ(range.histogram[48], 1U);  // 70000
}

TEST(Ranges, TheFirstAndTheLastBinTakeWhatLiesOutside) {
  const ValueRange range = range_of({1e-30F, -1e30F});
  EXPECT_EQ(range.histogram.front(), 1U);
  EXPECT_EQ(range.histogram.back(), 1U);
}

TEST(Ranges, PartsAddUpToTheWhole) {
  ValueRange parts = range_of({1, 2});
  parts.merge(range_of({-8, 0.5F}));
  parts.merge(range_of({}));
  EXPECT_EQ(parts, range_of({1, 2, -8, 0.5F}));
  ValueRange empty;
  empty.merge(range_of({5}));
  EXPECT_EQ(empty.min, 5);
}

TEST(Ranges, ChannelsAreCountedByTheirPlace) {
  ValueRange map;
  map.observe_channels(std::vector<float>{1, 1, 2, 2}, 2, 2);  // [1, 2, 1, 2]
  EXPECT_EQ(values_of(map), (std::vector<double>{2, 8}));
  ValueRange tokens;
  tokens.observe_channels(std::vector<float>{1, 2, 1, 2}, 2, 1);  // [2, 2]
  EXPECT_EQ(values_of(tokens), (std::vector<double>{2, 8}));
}

TEST(Ranges, AreReadAsTheyWereWritten) {
  const FolderForTests folder;
  const Ranges ranges = small_ranges();
  ASSERT_TRUE(write_ranges(folder.path() / "ranges.fvc", ranges).ok());
  auto read = read_ranges(folder.path() / "ranges.fvc");
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(*read, ranges);
}

TEST(Ranges, OfAnotherModelAreNotAdded) {
  Ranges ranges = small_ranges();
  Ranges other = small_ranges();
  other.model = "def";
  const Status merged = ranges.merge(other);
  ASSERT_FALSE(merged.ok());
  EXPECT_NE(merged.error().message.find("another model"), std::string::npos);
  other.model = "abc";
  other.seen.clear();
  EXPECT_TRUE(ranges.merge(other).ok());
  EXPECT_EQ(ranges.pictures, 4U);
  EXPECT_EQ(ranges.find("model.norm")->count, 8U);
}

TEST(Ranges, OfAPartAreAddedOnceAndAllPartsMakeTheWhole) {
  const auto part = [](std::uint64_t index, std::uint64_t of) {
    Ranges ranges{.model = "abc", .pictures = 1, .prompts = 1, .tokens = 30};
    ranges.seen["0f"] = {.of = of, .parts = {index}};
    ranges.values["model.norm"] = range_of({static_cast<float>(index) + 0.1F});
    return ranges;
  };
  Ranges some = part(1, 3);
  ASSERT_TRUE(some.merge(part(3, 3)).ok());
  EXPECT_FALSE(some.seen["0f"].whole());
  EXPECT_EQ(some.merge(part(1, 3)).error().message, "part 1 of 3 is there twice");
  EXPECT_NE(some.merge(part(1, 4)).error().message.find("in 4 parts, and in 3 before"), std::string::npos);
  ASSERT_TRUE(some.merge(part(2, 3)).ok());
  EXPECT_EQ(some.seen["0f"], SeenParts()) << "as if it had never been cut";
  Ranges other_order = part(2, 3);
  ASSERT_TRUE(other_order.merge(part(1, 3)).ok());
  ASSERT_TRUE(other_order.merge(part(3, 3)).ok());
  EXPECT_EQ(ranges_text(other_order), ranges_text(some));
}

TEST(Ranges, DamagedFilesAreRefusedWithASentence) {
  const std::string text = ranges_text(small_ranges());
  struct Damage {
    const char* from;
    const char* to;
    const char* sentence;
  };
  for (const auto& [from, to, sentence] :
       {Damage{"fastvlm-npu ranges", "other", "no file of ranges"}, Damage{"\"version\": 2", "\"version\": 7", "version 7"},
        Damage{"\"min\":-1.5", "\"min\":80000", "is above max"}, Damage{"\"min\":-1.5", "\"min\":-1e39", "must be from"},
        Damage{"\"histogram\":[", "\"histogram\":[4,", "must have 64 numbers"},
        Damage{"\"histogram\":[0,", "\"histogram\":[9,", "counts more numbers"}, Damage{"\"count\":4", "\"count\":-4", "must be from 0"},
        Damage{"\"square_sum\":", "\"square\":", "square_sum"}, Damage{"\"square_sum\":\"", "\"square_sum\":\"z", "no sum of squares"},
        Damage{"\"of\":3", "\"of\":1", "part 2 of 1"}, Damage{"\"parts\":[2]", "\"parts\":[2,2]", "twice"}}) {
    std::string damaged = text;
    const std::size_t at = damaged.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    damaged.replace(at, std::string_view(from).size(), to);
    const auto read = parse_ranges(damaged, "damaged");
    ASSERT_FALSE(read.ok()) << from;
    EXPECT_NE(read.error().message.find(sentence), std::string::npos) << read.error().message;
  }
}

TEST(Ranges, WhatOnlyMovesNumbersHasTheRangeOfWhatItMoves) {
  Graph graph("moves");
  Value x = graph.add_input("x", Dtype::kFloat32, {2, 3});
  Value y = graph.add_input("y", Dtype::kFloat32, {2, 3});
  Value turned = graph.add_node("", "Transpose", {x}, {{Dtype::kFloat32, {3, 2}}})[0];
  Value both = graph.add_node("", "Concat", {turned, y}, {{Dtype::kFloat32, {5, 2}}})[0];
  Value sum = graph.add_node("", "Add", {both, both}, {{Dtype::kFloat32, {5, 2}}})[0];
  Ranges ranges;
  ranges.values["x"] = range_of({-1, 2});
  ranges.values["y"] = range_of({-3, 1});
  EXPECT_FALSE(range_key("Transpose", turned.name()));
  EXPECT_EQ(range_key("Add", sum.name()), "Add:0");
  EXPECT_EQ(range_key("MatMulNBits", "q_proj/MatMulNBits:0"), "q_proj/MatMul:0") << "as the float graph that was measured calls it";
  auto known = extremes_of(graph, ranges);
  EXPECT_EQ(known[static_cast<std::size_t>(turned.index())], (Extremes{-1, 2}));
  EXPECT_EQ(known[static_cast<std::size_t>(both.index())], (Extremes{-3, 2}));
  EXPECT_FALSE(known[static_cast<std::size_t>(sum.index())]);
  ranges.values["Add:0"] = range_of({-6, 4});
  EXPECT_EQ(extremes_of(graph, ranges)[static_cast<std::size_t>(sum.index())], (Extremes{-6, 4}));
}

}  // namespace
}  // namespace fastvlm
