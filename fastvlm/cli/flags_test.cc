#include "fastvlm/cli/flags.h"

#include <gtest/gtest.h>

#include "fastvlm/cli/program_for_tests.h"

namespace fastvlm::cli {
namespace {

struct Row {
  const char* sentence;
  const char* told;
};
constexpr Row kRows[] = {
    {"", ""},
    {"`context` 1: must be from 2", "--context 1: must be from 2"},
    {"name it with `base_model`, or `part_limit_bytes`", "name it with --base-model, or --part-limit"},
    {"a file `x` with `force`", "a file `x` with --force"},
    {"one ` alone", "one ` alone"},
    {"`Det``force`", "`Det`--force"},
};

TEST(Flags, AreSpelledForTheOptionsThatTheLibrarySpeaksOf) {
  for (const Row& row : kRows) EXPECT_EQ(with_flags(row.sentence), row.told);
  OrderedJson json = {{"advice", {"use `qnn_plugin`"}}, {"number", 1}};
  spell_flags(json);
  EXPECT_EQ(json.dump(), R"({"advice":["use --qnn-plugin"],"number":1})");
}

TEST(Flags, AreInTheMessageOfTheProgramAndItsJson) {
  const std::string model = (kTestData / "golden/apple-tied/checkpoint").string();
  const std::vector<std::string> arguments = {"plan", "--model-dir", model, "--target", "sm8750", "--context", "1"};
  EXPECT_NE(run_program(arguments).output.find("fastvlm-npu: --context 1: must be"), std::string::npos);
  const Json error = run_json(arguments, "", 2)["error"];
  EXPECT_EQ(error["option"], "context");
  EXPECT_EQ(error["message"].get<std::string>().find("--context 1: must be"), 0u);
  const Json chip = run_json({"plan", "--model-dir", model, "--target", "sm9999"}, "", 2)["error"];
  EXPECT_EQ(chip["option"], "target");
  EXPECT_TRUE(chip["message"].get<std::string>().ends_with("; --target help shows them with their phones"));
}

}  // namespace
}  // namespace fastvlm::cli
