#include "fastvlm/cli/program_for_tests.h"

namespace fastvlm::cli {
namespace {

const std::string kCheckpoint = (kTestData / "golden/apple-tied/checkpoint").string();

TEST(Quantize, AddsARecipeToAnExportThatVerifyThenKnows) {
  FolderForTests folder;
  const std::string out = folder / "out";
  const Json exported = run_json({"export", "--model-dir", kCheckpoint, "--output-dir", out, "--target", "sm8750", "--no-compile",
                                  "--prefill", "8", "--context", "32"});
  EXPECT_TRUE(exported["recipes"].empty());
  const Json added = run_json({"quantize", "--output-dir", out, "--recipe", "w8,w4", "--model-dir", kCheckpoint});
  ASSERT_EQ(added["recipes"].size(), 2u);
  EXPECT_EQ(added["recipes"][1]["recipe"], "w4");
  EXPECT_LT(added["recipes"][1]["bytes"], added["recipes"][0]["bytes"]);
  EXPECT_LT(added["recipes"][0]["bytes"], added["recipes"][0]["half_bytes"]);
  for (const Json& file : added["files"]) EXPECT_TRUE(std::filesystem::exists(Path(out) / file["name"].get<std::string>()));

  const ProcessResult verified = run_program({"verify", "--output-dir", out, "--quiet"});
  EXPECT_EQ(verified.exit_code, 0) << verified.output;
  EXPECT_NE(verified.output.find("w4"), std::string::npos);

  const Json facts = run_json({"inspect", out, "--accuracy"});
  ASSERT_EQ(facts["weight_accuracy"].size(), 2u);
  const Json& worst = facts["weight_accuracy"][1]["weights"][0];
  EXPECT_EQ(worst["precision"], "4 bits, blocks of 32");
  EXPECT_LT(worst["sqnr_db"], 30);
  const ProcessResult shown = run_program({"inspect", out, "--accuracy"});
  EXPECT_NE(shown.output.find("the least exact of"), std::string::npos) << shown.output;
  EXPECT_NE(shown.output.find(worst["name"].get<std::string>()), std::string::npos);

  const ProcessResult twice = run_program({"quantize", "--output-dir", out, "--recipe", "w8", "--model-dir", kCheckpoint});
  EXPECT_EQ(twice.exit_code, 2);
  EXPECT_NE(twice.output.find("--recipe w8: stands in"), std::string::npos) << twice.output;
}

TEST(Quantize, WritesARecipeThatExportTakes) {
  FolderForTests folder;
  const std::string file = folder / "mine.json";
  const Json found = run_json({"quantize", "--sensitivity", "--model-dir", kCheckpoint, "--by", "layers", "--reply-tokens", "1",
                               "--image-size", "64", "--size", "0.45", "--output", file, "--name", "mine"});
  EXPECT_EQ(found["whole"]["recipe"], "w4");
  EXPECT_EQ(found["proposal"]["recipe"], "mine");
  EXPECT_LE(found["proposal"]["share"], 0.45);
  EXPECT_FALSE(found["findings"].empty()) << "made-up pictures";
  const Json recipe = Json::parse(folder.read("mine.json"));
  EXPECT_EQ(recipe["rules"], found["proposal"]["rules"]);
  const Json plan =
      run_json({"plan", "--model-dir", kCheckpoint, "--target", "sm8750", "--recipe", file, "--context", "64", "--prefill", "8"});
  EXPECT_NE(plan.dump().find("decoder_mine"), std::string::npos);
}

}  // namespace
}  // namespace fastvlm::cli
