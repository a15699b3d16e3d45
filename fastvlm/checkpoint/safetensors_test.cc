#include "fastvlm/checkpoint/safetensors.h"

#include <gtest/gtest.h>

#include "fastvlm/base/json.h"

namespace fastvlm {
namespace {

// The header of a file whose data is `data_bytes` long.
Result<SafetensorsHeader> parse(const std::string& json, std::uint64_t data_bytes) {
  return parse_safetensors_header(json, 8 + json.size() + data_bytes, "x.safetensors");
}
std::string row(const std::string& name, const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return fmt::format(R"("{}":{{"dtype":"{}","shape":{},"data_offsets":{}}})", name, dtype, shape, offsets);
}

TEST(Safetensors, ReadsTensorsInTheOrderOfTheirData) {
  auto header =
      parse("{\"__metadata__\":{\"format\":\"pt\"}," + row("b", "BF16", "[2,3]", "[8,20]") + "," + row("a", "F32", "[2]", "[0,8]") + "," +
                row("empty", "F32", "[0,7]", "[20,20]") + "," + row("scalar", "I64", "[]", "[20,28]") + "}",
            28);
  ASSERT_TRUE(header.ok()) << header.error().message;
  ASSERT_EQ(header->tensors.size(), 4u);
  EXPECT_EQ(header->tensors[0].name, "a");
  EXPECT_EQ(header->tensors[1].name, "b");
  EXPECT_EQ(header->tensors[1].shape, (Shape{2, 3}));
  EXPECT_EQ(header->tensors[3].bytes, 8u);
  EXPECT_EQ(header->metadata.at("format"), "pt");
}

struct Hostile {
  const char* title;
  std::string json;
  std::uint64_t data_bytes;
  const char* sentence;
};

TEST(Safetensors, RefusesWhatDoesNotAddUp) {
  const Hostile rows[] = {
      {"no object", "[]", 0, "JSON object"},
      {"no JSON", "{", 0, "not valid JSON"},
      {"trailing bytes", "{} x", 0, "not valid JSON"},
      {"a row that is no object", R"({"a":3})", 0, "described by an object"},
      {"the same name twice", "{" + row("a", "F32", "[1]", "[0,4]") + "," + row("a", "F32", "[1]", "[0,4]") + "}", 4, "stands twice"},
      {"an unknown type", "{" + row("a", "F4", "[1]", "[0,4]") + "}", 4, "not supported"},
      {"a negative extent", "{" + row("a", "F32", "[-1]", "[0,4]") + "}", 4, "non-negative"},
      {"an extent of 2^63", "{" + row("a", "F32", "[9223372036854775808]", "[0,4]") + "}", 4, "non-negative"},
      {"a product that wraps around", "{" + row("a", "F32", "[4294967296,4294967296]", "[0,0]") + "}", 0, "too large"},
      {"bytes that wrap around", "{" + row("a", "F64", "[4611686018427387904]", "[0,0]") + "}", 0, "too large"},
      {"17 extents", "{" + row("a", "F32", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0,4]") + "}", 4, "at most 16"},
      {"an end before its begin", "{" + row("a", "F32", "[1]", "[4,0]") + "}", 4, "before it begins"},
      {"a fraction as offset", "{" + row("a", "F32", "[1]", "[0,4.0]") + "}", 4, "non-negative integers"},
      {"three offsets", "{" + row("a", "F32", "[1]", "[0,4,8]") + "}", 4, "non-negative integers"},
      {"too few bytes for the shape", "{" + row("a", "F32", "[2]", "[0,4]") + "}", 4, "needs 8 bytes"},
      {"a gap", "{" + row("a", "F32", "[1]", "[0,4]") + "," + row("b", "F32", "[1]", "[8,12]") + "}", 12, "unused bytes"},
      {"an overlap", "{" + row("a", "F32", "[2]", "[0,8]") + "," + row("b", "F32", "[2]", "[4,12]") + "}", 12, "overlaps"},
      {"the same place twice", "{" + row("a", "F32", "[1]", "[0,4]") + "," + row("b", "F32", "[1]", "[0,4]") + "}", 4, "overlaps"},
      {"data cut short", "{" + row("a", "F32", "[2]", "[0,8]") + "}", 7, "cut short"},
      {"data behind the last tensor", "{" + row("a", "F32", "[1]", "[0,4]") + "}", 5, "belong to none"},
      {"offsets near 2^64", "{" + row("a", "F32", "[1]", "[18446744073709551610,18446744073709551614]") + "}", 4, "cut short"},
      {"metadata that is no object", R"({"__metadata__":3})", 0, "must map strings to strings, but is number"},
      {"metadata that is no string", R"({"__metadata__":{"format":["pt"]}})", 0, "but \"format\" is array"},
      {"nesting without end", "{\"a\":" + std::string(1000, '[') + std::string(1000, ']') + "}", 0, "nested deeper"},
  };
  for (const Hostile& hostile : rows) {
    auto header = parse(hostile.json, hostile.data_bytes);
    ASSERT_FALSE(header.ok()) << hostile.title;
    EXPECT_EQ(header.error().kind, ErrorKind::kBadInput) << hostile.title;
    EXPECT_NE(header.error().message.find(hostile.sentence), std::string::npos) << hostile.title << ": " << header.error().message;
    EXPECT_NE(header.error().message.find("x.safetensors"), std::string::npos) << hostile.title << ": " << header.error().message;
  }
}

}  // namespace
}  // namespace fastvlm
