// Options of export and plan that tests of the library do not reach.
#include "fastvlm/cli/program_for_tests.h"

namespace fastvlm::cli {
namespace {

const std::string kModel = (kTestData / "golden/apple-tied/checkpoint").string();

// The memory of the chip is known, but so few weights need not be read from it at each run.
TEST(PlanVerb, SaysWhyAFewWeightsHaveNoBoundOfSpeed) {
  const auto said = [](const char* chip) {
    return run_program({"plan", "--model-dir", kModel, "--image-size", "128", "--target", chip, "--context", "64", "--prefill", "16"})
        .output;
  };
  const std::string known = said("sm8750"), unknown = said("sm8550");
  EXPECT_NE(known.find("its weights may stay on the chip"), std::string::npos) << known;
  EXPECT_EQ(known.find("not known"), std::string::npos) << known;
  EXPECT_NE(unknown.find("not known"), std::string::npos) << unknown;
}

TEST(PlanVerb, SaysWhichFormEachGeluHasAndWhy) {
  const std::vector<std::string> arguments = {"plan",   "--model-dir", kModel, "--image-size", "128", "--target",
                                              "sm8750", "--prefill",   "4",    "--context",    "16"};
  struct Case {
    const char *asked, *form, *why;
  };
  for (const auto& [asked, form, why] :
       {Case{"auto", "exact", "no ranges are known"}, Case{"exact", "exact", "asked for"}, Case{"fast", "fast", "asked for"}}) {
    std::vector<std::string> with = arguments;
    with.insert(with.end(), {"--gelu", asked});
    const Json plan = run_json(with);
    ASSERT_FALSE(plan["gelus"].empty());
    for (const Json& gelu : plan["gelus"]) {
      EXPECT_EQ(gelu["form"], form);
      EXPECT_EQ(gelu["why"], why);
    }
    with.push_back("--quiet");
    const std::string text = run_program(with).output;
    EXPECT_NE(text.find(fmt::format("{} GELUs in static graphs: {} ({})", plan["gelus"].size(), form, why)), std::string::npos) << text;
  }
}

TEST(ExportVerb, SaysHowMuchOfAnEarlierExportWasReused) {
  FolderForTests folder;
  const auto arguments = [&](const std::string& name) -> std::vector<std::string> {
    return {"export", "--model-dir", kModel, "--image-size", "128", "--output-dir", (folder / name).string()};
  };
  std::vector<std::string> again = arguments("new"), other = arguments("other"), missing = arguments("missing");
  for (auto* with : {&again, &other}) with->insert(with->end(), {"--reuse", (folder / "old").string()});
  EXPECT_EQ(run_json(arguments("old"))["reused_bytes"], 0);
  EXPECT_GT(run_json(again)["reused_bytes"], 1'000'000);

  other.insert(other.end(), {"--dtype", "float16"});
  const ProcessResult refused = run_program(other);
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_NE(refused.output.find("--reuse " + (folder / "old").string() + ": its weights are float32"), std::string::npos) << refused.output;
  missing.insert(missing.end(), {"--reuse", (folder / "nowhere").string()});
  EXPECT_EQ(run_program(missing).exit_code, 3);
}

}  // namespace
}  // namespace fastvlm::cli
