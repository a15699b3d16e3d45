#include "fastvlm/quant/merge_ranges.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/base/shard.h"

namespace fastvlm {
namespace {

constexpr std::size_t kPictures = 23;

class MergeRanges : public testing::Test {
 protected:
  // Ranges of some of 23 pictures, each with numbers of its own.
  static Ranges ranges_of(const Shard& shard) {
    Ranges ranges{.model = "abc"};
    ranges.seen["0f"] = {.of = shard.count, .parts = {shard.index}};
    for (std::size_t picture = shard.begin(kPictures); picture < shard.end(kPictures); ++picture) {
      ++ranges.pictures;
      std::vector<float> numbers;
      for (int i = -3; i < 9; ++i) numbers.push_back(std::ldexp(0.1F + static_cast<float>(picture), 3 * i) * (i % 2 == 0 ? 1.0F : -1.0F));
      ranges.values[picture % 2 == 0 ? "even" : "odd"].observe(numbers);
      ranges.values["all"].observe_channels(numbers, 4, 1);
    }
    return ranges;
  }

  std::vector<Path> files_of(std::size_t count, const std::function<void(Ranges&, std::size_t)>& change = {}) const {
    std::vector<Path> files;
    for (std::size_t index = 1; index <= count; ++index) {
      Ranges ranges = ranges_of({.index = index, .count = count});
      if (change) change(ranges, index);
      files.push_back(folder_.path() / fmt::format("{}-of-{}.fvc", index, count));
      EXPECT_TRUE(write_ranges(files.back(), ranges).ok());
    }
    return files;
  }

  static void refused(const std::vector<Path>& files, std::string_view sentence) {
    const auto merged = merge_ranges(files);
    ASSERT_FALSE(merged.ok()) << sentence;
    EXPECT_NE(merged.error().message.find(sentence), std::string::npos) << merged.error().message;
  }

  const FolderForTests folder_;
};

TEST_F(MergeRanges, MakesTheBytesOfTheSingleRunInAnyOrder) {
  const std::string whole = ranges_text(ranges_of({}));
  for (const std::size_t count : {1U, 2U, 3U, 7U, 30U}) {
    std::vector<Path> files = files_of(count);
    for (int order = 0; order < 5; ++order) {
      auto merged = merge_ranges(files);
      ASSERT_TRUE(merged.ok()) << merged.error().message;
      EXPECT_EQ(ranges_text(*merged), whole) << count << " shards";
      std::next_permutation(files.begin(), files.end());
    }
  }
}

TEST_F(MergeRanges, RefusesShardsThatDoNotFit) {
  const std::vector<Path> files = files_of(3);
  refused({files[0], files[2]}, "shard 2/3 is missing");
  refused({files[0]}, "shard 2/3 is missing");
  refused({files[0], files[1], files[1], files[2]}, "2-of-3.fvc: part 2 of 3 is there twice");
  refused({files[0], files_of(2)[1]}, "2-of-2.fvc: the same pictures in 2 parts, and in 3 before");
  refused({files[0], folder_.path() / "none.fvc"}, "none.fvc");
  refused(files_of(3, [](Ranges& ranges, std::size_t index) { ranges.model = index == 3 ? "def" : "abc"; }), "another model");
  refused(files_of(3,
                   [](Ranges& ranges, std::size_t index) {
                     if (index == 2) ranges.seen = {{"1f", {.of = 3, .parts = {2}}}};
                   }),
          "2-of-3.fvc: does not belong to");
}

TEST_F(MergeRanges, PartsAndNothingAreNoRangesToWorkWith) {
  Ranges two = ranges_of({.index = 1, .count = 3});
  two.seen["0f"].parts.insert(3);
  const std::pair<Ranges, const char*> cases[] = {
      {ranges_of({.index = 1, .count = 3}),
       "r.fvc: was calibrated with part 1 of 3 of the pictures only; put all parts together with `merge`"},
      {two, "parts 1, 3 of 3"},
      {Ranges{.model = "abc"}, "r.fvc: holds no ranges"}};
  for (const auto& [ranges, sentence] : cases) {
    const Status refused = check_complete(ranges, "r.fvc");
    ASSERT_FALSE(refused.ok()) << sentence;
    EXPECT_NE(refused.error().message.find(sentence), std::string::npos) << refused.error().message;
  }
  EXPECT_TRUE(check_complete(ranges_of({}), "r.fvc").ok());
  EXPECT_EQ(parts_of(ranges_of({})), std::nullopt);
}

TEST_F(MergeRanges, KnowsItsFiles) {
  EXPECT_TRUE(is_ranges_file(files_of(1).front()));
  folder_.write("other.jsonl", "{\"format\": \"other\"}\n");
  EXPECT_FALSE(is_ranges_file(folder_.path() / "other.jsonl"));
  EXPECT_FALSE(is_ranges_file(folder_.path() / "none.fvc"));
}

}  // namespace
}  // namespace fastvlm
