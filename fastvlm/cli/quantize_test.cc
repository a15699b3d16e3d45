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

TEST(Quantize, TakesTheTowerApartAndWritesARecipeThatExportTakesForIt) {
  FolderForTests folder;
  const std::string file = folder / "tower.json";
  const std::vector<std::string> common = {"quantize",        "--sensitivity",  "--model-dir", kCheckpoint,    "--by",
                                           "layers",          "--reply-tokens", "1",           "--image-size", "64",
                                           "--vision-recipe", "w8a16"};
  std::vector<std::string> sized = common;
  sized.insert(sized.end(), {"--size", "0.8", "--vision-output", file, "--name", "mine"});
  const Json found = run_json(sized);
  EXPECT_EQ(found["whole"]["vision_recipe"], "w8a16");
  EXPECT_EQ(found["whole"]["recipe"], "fp16") << "the decoder is left alone";
  ASSERT_EQ(found["rows"].size(), 8u);
  EXPECT_EQ(found["rows"][7]["layer"], "model.multi_modal_projector");
  EXPECT_TRUE(found["rows"][7]["features_snr_db"].is_number());
  EXPECT_EQ(Json::parse(folder.read("tower.json"))["rules"], found["proposal"]["vision_rules"]);
  const Json plan =
      run_json({"plan", "--model-dir", kCheckpoint, "--target", "sm8750", "--vision-recipe", file, "--context", "64", "--prefill", "8"});
  EXPECT_NE(plan.dump().find("vision_256_mine"), std::string::npos);
  std::vector<std::string> decoder = common;
  decoder.insert(decoder.end(), {"--size", "0.8", "--output", file});
  const ProcessResult refused = run_program(decoder);
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_NE(refused.output.find("the decoder is not taken apart"), std::string::npos) << refused.output;
}

}  // namespace
}  // namespace fastvlm::cli
