#include "fastvlm/base/json.h"

#include "fastvlm/base/folder_for_tests.h"

namespace fastvlm {
namespace {

std::string nested(int depth) {
  return std::string(static_cast<std::size_t>(depth), '[') + std::string(static_cast<std::size_t>(depth), ']');
}

TEST(Json, DamagedTextsAreRefusedWithTheirSource) {
  struct Case {
    const char* what;
    std::string text;
    const char* message;
  };
  const Case cases[] = {
      {"empty", "", "config: not valid JSON"},
      {"blank", "  \n", "config: not valid JSON"},
      {"cut off", R"({"a": 1)", "config: not valid JSON at byte 8"},
      {"bytes behind the end", "{} x", "config: not valid JSON at byte 4"},
      {"two texts", "{}{}", "config: not valid JSON at byte 3"},
      {"comment", "{} // no", "config: not valid JSON at byte 4"},
      {"single quotes", "{'a': 1}", "config: not valid JSON at byte 2"},
      {"trailing comma", "[1,]", "config: not valid JSON at byte 4"},
      {"not a number", "[NaN]", "config: not valid JSON at byte 2"},
      {"number beyond double", "[1e999]", "config: not valid JSON at byte 6"},
      {"bad UTF-8", "[\"\xff\"]", "config: not valid JSON at byte 3"},
      {"duplicate key", R"({"a": 1, "a": 2})", "config: the key \"a\" stands twice in one object"},
      {"duplicate key deep down", R"([{"x": {"b": 1, "c": 2, "b": 3}}])", "config: the key \"b\" stands twice in one object"},
      {"too deep", nested(65), "config: nested deeper than 64 levels"},
      {"much too deep", std::string(1000000, '['), "config: nested deeper than 64 levels"},
  };
  for (const Case& c : cases) {
    auto json = parse_json(c.text, "config");
    ASSERT_FALSE(json.ok()) << c.what;
    EXPECT_EQ(json.error().kind, ErrorKind::kBadInput) << c.what;
    EXPECT_TRUE(json.error().message.starts_with(c.message)) << c.what << ": " << json.error().message;
  }
}

TEST(Json, WhatIsAllowedIsRead) {
  for (const std::string& text : {std::string("null"), std::string("[]"), nested(64), std::string(R"({"a": {"k": 1}, "b": {"k": 1}})"),
                                  std::string("[\"\\u00e4\", -0.5e2]")})
    EXPECT_TRUE(parse_json(text, "config").ok()) << text;
}

TEST(Json, AMemberOfTheWrongTypeNamesSourceKeyAndTypeFound) {
  auto json = parse_json(
      R"({"integer": -3, "real": 2.5, "text": "t", "flag": true, "none": null, "huge": 18446744073709551615, "list": []})", "c.json");
  ASSERT_TRUE(json.ok());
  EXPECT_EQ(json_integer(*json, "integer", "c.json").value(), -3);
  EXPECT_EQ(json_number(*json, "integer", "c.json").value(), -3.0);
  EXPECT_EQ(json_number(*json, "real", "c.json").value(), 2.5);
  EXPECT_EQ(json_string(*json, "text", "c.json").value(), "t");
  EXPECT_EQ(json_bool(*json, "flag", "c.json").value(), true);
  auto integer = [&](const char* key) { return json_integer(*json, key, "c.json").error().message; };
  EXPECT_EQ(integer("real"), "c.json: the key \"real\" must be an integer, but is number");
  EXPECT_EQ(integer("huge"), "c.json: the key \"huge\" must be an integer, but is number");
  EXPECT_EQ(integer("gone"), "c.json: the key \"gone\" is missing");
  EXPECT_EQ(integer("none"), "c.json: the key \"none\" must be an integer, but is null");
  EXPECT_EQ(json_bool(*json, "integer", "c.json").error().message, "c.json: the key \"integer\" must be true or false, but is number");
  EXPECT_EQ(json_string(*json, "list", "c.json").error().message, "c.json: the key \"list\" must be a string, but is array");
  EXPECT_EQ(json_number(*json, "text", "c.json").error().message, "c.json: the key \"text\" must be a number, but is string");
  EXPECT_EQ(json_number((*json)["list"], "x", "c.json").error().message, "c.json: expected an object with the key \"x\"");
}

TEST(Json, FindSeesNeitherAbsentNorNullMembers) {
  auto json = parse_json(R"({"a": 0, "b": null})", "c");
  ASSERT_TRUE(json.ok());
  ASSERT_NE(json_find(*json, "a"), nullptr);
  EXPECT_EQ(*json_find(*json, "a"), 0);
  EXPECT_EQ(json_find(*json, "b"), nullptr);
  EXPECT_EQ(json_find(*json, "c"), nullptr);
  EXPECT_EQ(json_find(Json::array(), "a"), nullptr);
}

TEST(Json, AFileIsNamedInItsErrors) {
  FolderForTests folder;
  const Path path = folder.write("bad.json", "{\"a\": }");
  auto json = read_json_file(path);
  ASSERT_FALSE(json.ok());
  EXPECT_TRUE(json.error().message.starts_with(path.string() + ": not valid JSON at byte 7")) << json.error().message;
  EXPECT_FALSE(read_json_file(folder.write("large.json", "[1, 2, 3]"), 8).ok());
}

TEST(Json, AnErrorComesBackWithItsOption) {
  for (const Error& error : {bad_option("context", "{}: must be at least 2", 1), Error{ErrorKind::kEnvironment, "the disk is full"}}) {
    const Error back = error_from_json(error_to_json(error), "worker");
    EXPECT_EQ(back.kind, error.kind);
    EXPECT_EQ(back.message, error.message);
    EXPECT_EQ(back.option, error.option);
  }
  EXPECT_EQ(error_from_json({{"kind", 2}, {"message", "m"}, {"option", 1}}, "worker").kind, ErrorKind::kEnvironment);
}

}  // namespace
}  // namespace fastvlm
