// The golden checkpoints on the emulated NPU, from the checkpoint folder to the greedy ids, through the program alone.
#include "fastvlm/checkpoint/golden_for_tests.h"
#include "fastvlm/cli/program_for_tests.h"

namespace fastvlm::cli {
namespace {

std::string golden(const std::string& name) { return (kTestData / "golden" / name / "checkpoint").string(); }

class EmulatedNpu : public testing::Test {
 protected:
  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  std::string expected(const std::string& name) const { return write_golden(name, folder_.path()).string(); }
  // Contexts of this test stay in its own cache.
  std::vector<std::string> export_arguments(const std::string& name, const std::string& targets) const {
    return {"export",        "--model-dir", golden(name), "--output-dir", at("out"),   "--image-size", "128",     "--target", targets,
            "--image-sizes", "128,256",     "--prefill",  "32",           "--context", "96",           "--fused", "4x11",     "--quiet"};
  }
  FolderForTests folder_;
};

TEST_F(EmulatedNpu, GoldenModelsCompileForThreeChipsAndComputeWhatTheCpuComputes) {
  struct Case {
    const char* model;
    const char* target;
  };
  for (const auto& [model, target] : {Case{"apple-tied", "sm8550"}, Case{"hf-untied-sharded", "sm8650"}, Case{"hf-unfused", "sm8750"}}) {
    std::filesystem::remove_all(at("out"));
    const ProcessResult exported = run_program(export_arguments(model, target));
    ASSERT_EQ(exported.exit_code, 0) << exported.output;
    const Json report =
        run_json({"verify", "--output-dir", at("out"), "--runner", "htp", "--target", target, "--reference", expected(model)});
    EXPECT_EQ(report["missed"], 0) << model;
    int on_npu = 0;
    for (const Json& row : report["rows"])
      if (row["check"] == "npu") {
        ++on_npu;
        EXPECT_EQ(row["verdict"], "ok") << model << " " << row.dump();
      }
    // The vision sizes, the fused twin, logits and greedy ids, keys and values of prompt and steps.
    EXPECT_GE(on_npu, 11) << model;
  }
}

TEST_F(EmulatedNpu, ATrainedModelAnswersRightlyInHalfPrecisionAndWithWeightsOfEightAndFourBits) {
  const std::string trained = FASTVLM_TEST_DATA "/trained";
  const ProcessResult exported =
      run_program({"export", "--model-dir", trained + "/checkpoint", "--output-dir", at("out"), "--image-size", "256", "--target", "sm8750",
                   "--prefill", "32", "--context", "128", "--recipe", "fp16,w8,w4"});
  ASSERT_EQ(exported.exit_code, 0) << exported.output;
  struct Question {
    const char *image, *prompt, *answer;
  };
  for (const char* recipe : {"fp16", "w8", "w4"})
    for (const auto& [image, prompt, answer] :
         {Question{"000.png", "What color is the cross?", "purple"}, Question{"001.png", "What shape is orange?", "cross"}}) {
      const Json reply = run_json({"chat", "--output-dir", at("out"), "--recipe", recipe, "--runner", "htp", "--target", "sm8750",
                                   "--image", trained + "/eval/" + image, "--prompt", prompt, "--max-new-tokens", "8"});
      EXPECT_EQ(reply["text"], answer) << recipe;
      EXPECT_EQ(reply["finish"], "stop") << recipe;
    }
  const Json checked = run_json({"check-ops", at("out/npu/decoder_ar32_cl128_w4.onnx"), "--target", "sm8750"});
  EXPECT_TRUE(checked["accepted"] == true && checked["warnings"] == 0) << checked.dump();
  EXPECT_EQ(run_json({"inspect", at("out")})["graphs"].back()["recipe"], "w4");
}

TEST_F(EmulatedNpu, OlderChipsWithoutWeightSharingGetOneContextForEachGraph) {
  const ProcessResult exported = run_program(export_arguments("apple-tied", "sm8450,sm8850,x-elite"));
  ASSERT_EQ(exported.exit_code, 0) << exported.output;
  std::map<std::string, int> binaries;
  for (const char* target : {"sm8450", "sm8850", "x-elite"})
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / "out" / "npu" / target))
      binaries[target] += entry.path().extension() == ".bin";
  EXPECT_EQ(binaries, (std::map<std::string, int>{{"sm8450", 5}, {"sm8850", 3}, {"x-elite", 3}}));
  const Json wrapper = run_json({"inspect", at("out/npu/sm8850/vision_128_ctx.onnx")});
  EXPECT_EQ(wrapper["soc"], "sm8850 (Snapdragon 8 Elite Gen 5)") << wrapper.dump();
  EXPECT_EQ(wrapper["htp_arch"], "v81");
}

TEST_F(EmulatedNpu, InspectTellsWhichQnnOperatorsTheNodesBecame) {
  const ProcessResult exported = run_program(export_arguments("apple-tied", "sm8750"));
  ASSERT_EQ(exported.exit_code, 0) << exported.output;
  const Json wrapper = run_json({"inspect", at("out/npu/sm8750/vision_128_ctx.onnx"), "--tensors"});
  ASSERT_EQ(wrapper["qnn_graphs"].size(), 1u);
  const Json& graph = wrapper["qnn_graphs"][0];
  EXPECT_EQ(graph["name"], "vision_128");
  EXPECT_GT(graph["operators"]["Conv2d"], 10);
  EXPECT_GT(graph["operators"]["Gelu"], 10);
  EXPECT_TRUE(std::ranges::any_of(graph["nodes"], [](const Json& row) {
    return row["onnx"] == "model.vision_tower.stem.0/Conv" && row["qnn"] == Json::array({"Conv2d"});
  })) << graph["nodes"].dump();
  // The decoder's context holds two graphs; its wrappers are found beside it.
  const Json context = run_json({"inspect", at("out/npu/sm8750/decoder_ar32_cl96_ctx_qnn.bin")});
  ASSERT_EQ(context["qnn_graphs"].size(), 2u);
  EXPECT_EQ(context["qnn_graphs"][0]["name"], "decoder_ar1_cl96");
  EXPECT_FALSE(context["qnn_graphs"][0].contains("nodes"));
  EXPECT_EQ(run_program({"inspect", at("out/npu/sm8750/vision_128_ctx.onnx"), "--tensors"}).exit_code, 0);
}

TEST_F(EmulatedNpu, ADecoderAboveTheLimitIsCutAndStillAgrees) {
  std::vector<std::string> arguments = export_arguments("hf-untied-sharded", "sm8750");
  arguments.insert(arguments.end(), {"--part-limit", "0.00025", "--prefill-logits", "none"});
  const ProcessResult exported = run_program(arguments);
  ASSERT_EQ(exported.exit_code, 0) << exported.output;
  EXPECT_TRUE(std::filesystem::exists(folder_ / "out/npu/decoder_ar1_cl96_part_2_of_2.onnx") ||
              std::filesystem::exists(folder_ / "out/npu/decoder_ar1_cl96_part_3_of_3.onnx"));
  const ProcessResult verified = run_program({"verify", "--output-dir", at("out"), "--runner", "htp", "--target", "sm8750", "--reference",
                                              expected("hf-untied-sharded"), "--quiet"});
  EXPECT_EQ(verified.exit_code, 0) << verified.output;
}

TEST_F(EmulatedNpu, ChipsThatCannotAreRefusedBeforeAnythingIsWritten) {
  struct Case {
    const char* target;
    int code;
    const char* words;
  };
  for (const auto& [target, code, words] : {Case{"sm8350", 2, "half precision"}, Case{"sm9999", 2, "sm8750"}}) {
    const ProcessResult result = run_program(export_arguments("apple-tied", target));
    EXPECT_EQ(result.exit_code, code) << result.output;
    EXPECT_NE(result.output.find(words), std::string::npos) << result.output;
    EXPECT_FALSE(std::filesystem::exists(folder_ / "out"));
  }
}

TEST_F(EmulatedNpu, AChipThatCannotRunTheGraphsIsRefusedAlsoWithoutCompilingAndPlanSaysSo) {
  std::vector<std::string> arguments = export_arguments("apple-tied", "sm8350");
  arguments.push_back("--no-compile");
  const ProcessResult exported = run_program(arguments);
  EXPECT_EQ(exported.exit_code, 2);
  EXPECT_NE(exported.output.find("computes no half precision"), std::string::npos) << exported.output;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out"));
  const Json plan = run_json({"plan", "--model-dir", golden("apple-tied"), "--target", "sm8350", "--image-size", "128"});
  EXPECT_TRUE(plan["npu"][0]["findings"][0].get<std::string>().starts_with(
      "export will refuse the tower with recipe fp16 on this chip: sm8350 (Snapdragon 888)"))
      << plan["npu"].dump();
  EXPECT_GT(plan["estimated_context_bytes"], 0);
}

TEST_F(EmulatedNpu, AFolderWithoutStaticGraphsDoesNotPassOnTheNpu) {
  const ProcessResult exported =
      run_program({"export", "--model-dir", golden("apple-tied"), "--output-dir", at("out"), "--image-size", "128", "--quiet"});
  ASSERT_EQ(exported.exit_code, 0) << exported.output;
  const ProcessResult verified = run_program({"verify", "--output-dir", at("out"), "--runner", "htp", "--quiet"});
  EXPECT_EQ(verified.exit_code, 1);
  EXPECT_NE(verified.output.find("nothing ran on the NPU"), std::string::npos) << verified.output;
}

}  // namespace
}  // namespace fastvlm::cli
