#include "fastvlm/quant/range_line.h"

#include <gtest/gtest.h>

#include <random>

namespace fastvlm {
namespace {

// Numbers of all sizes, some with channels.
Ranges made_up_ranges() {
  Ranges ranges{.model = "abc"};
  std::mt19937 random(5);
  for (int value = 0; value < 200; ++value) {
    std::vector<float> numbers;
    for (int i = 0; i < 16; ++i)
      numbers.push_back(std::ldexp(static_cast<float>(random()) * 0x1p-31F - 1, static_cast<int>(random() % 250) - 140));
    ValueRange& range = ranges.values["model.layers." + std::to_string(value) + "/Add:0"];
    range.observe(numbers);
    if (value % 3 == 0) range.observe_channels(numbers, 1 + value % 5, 1);
  }
  ranges.values["never seen"];
  return ranges;
}

std::vector<std::string> lines_of(const Ranges& ranges) {
  std::vector<std::string> lines;
  std::istringstream text(ranges_text(ranges));
  for (std::string line; std::getline(text, line);)
    if (line.starts_with("  \"")) lines.push_back(line.ends_with(',') ? line.substr(0, line.size() - 1) : line);
  return lines;
}

TEST(RangeLine, IsReadAsItWasWritten) {
  const Ranges ranges = made_up_ranges();
  const std::vector<std::string> lines = lines_of(ranges);
  ASSERT_EQ(lines.size(), ranges.values.size());
  auto expected = ranges.values.begin();
  for (const std::string& line : lines) {
    const auto read = read_range_line(line);
    ASSERT_TRUE(read) << line;
    EXPECT_EQ(read->key, expected->first);
    EXPECT_EQ(read->range, expected->second) << line;
    ++expected;
  }
}

TEST(RangeLine, IsNothingInAnyOtherForm) {
  const std::string line = lines_of(made_up_ranges()).front();
  struct Change {
    const char* from;
    const char* to;
  };
  const std::string min = line.substr(line.find("\"min\":"), line.find(",\"max\"") - line.find("\"min\":"));
  for (const auto& [from, to] : {Change{"  \"", "\""},
                                 {"model", "mod\\u0065l"},
                                 {"model", "m\303\266del"},
                                 {"\"max\"", "\"most\""},
                                 {"\"count\":", "\"count\": "},
                                 {"\"count\":16", "\"count\":016"},
                                 {"\"count\":16", "\"count\":-16"},
                                 {"\"count\":16", "\"count\":16.0"},
                                 {"\"count\":16", "\"count\":99999999999999999999"},
                                 {"\"count\":16", "\"count\":1"},
                                 {min.c_str(), "\"min\":-1"},
                                 {min.c_str(), "\"min\":-01.5"},
                                 {min.c_str(), "\"min\":-.5"},
                                 {min.c_str(), "\"min\":-1."},
                                 {min.c_str(), "\"min\":inf"},
                                 {min.c_str(), "\"min\":-1e39"},
                                 {min.c_str(), "\"min\":1e38"},
                                 {"\"square_sum\":\"", "\"square_sum\":\"0"},
                                 {"\"histogram\":[", "\"histogram\":[0,"},
                                 {"}", "} "},
                                 {"}", ""},
                                 {"sums\":[", "sums\":[,"}}) {
    std::string changed = line;
    const std::size_t at = changed.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    changed.replace(at, std::string_view(from).size(), to);
    EXPECT_FALSE(read_range_line(changed)) << changed;
  }
  EXPECT_FALSE(read_range_line(""));
  EXPECT_FALSE(read_range_line("  \"\": " + line.substr(line.find("{"))));
}

TEST(RangeLine, FilesInAnotherOrderAreReadAllTheSame) {
  const Ranges ranges = made_up_ranges();
  const std::string text = ranges_text(ranges), first = lines_of(ranges)[0] + ",\n", second = lines_of(ranges)[1] + ",\n";
  std::string turned = text;
  turned.replace(turned.find(first + second), first.size() + second.size(), second + first);
  auto read = parse_ranges(turned, "turned");
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(*read, ranges);
  std::string twice = text;
  twice.insert(twice.find(first), first);
  EXPECT_FALSE(parse_ranges(twice, "twice").ok());
}

}  // namespace
}  // namespace fastvlm
