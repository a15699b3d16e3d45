// One page about an export, through the program.
#include "fastvlm/cli/program_for_tests.h"
#include "fastvlm/report/well_formed_for_tests.h"

namespace fastvlm::cli {
namespace {

class ReportPage : public testing::Test {
 protected:
  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  void export_golden(const std::string& to) {
    const ProcessResult result =
        run_program({"export", "--model-dir", (kTestData / "golden/hf-unfused/checkpoint").string(), "--output-dir", at(to), "--image-size",
                     "128", "--target", "sm8750", "--prefill", "32", "--context", "96", "--recipe", "fp16,w8", "--no-compile", "--quiet"});
    ASSERT_EQ(result.exit_code, 0) << result.output;
  }
  std::string page(const std::string& name) const {
    auto text = read_file(folder_ / name, std::size_t{64} << 20);
    EXPECT_TRUE(text.ok()) << name;
    return text.ok() ? *text : "";
  }
  FolderForTests folder_;
};

TEST_F(ReportPage, IsTheSameForTheSameExportWhereverItLies) {
  export_golden("out");
  const Json facts = run_json({"report", "--output-dir", at("out"), "--html", at("one.html")});
  EXPECT_EQ(facts["passed"], true) << facts.dump();
  EXPECT_EQ(facts["missed"], 0);
  std::filesystem::rename(at("out"), at("elsewhere"));
  run_json({"report", "--output-dir", at("elsewhere"), "--html", at("two.html")});
  const std::string one = page("one.html");
  EXPECT_EQ(one, page("two.html"));
  EXPECT_EQ(facts["bytes"], one.size());
  EXPECT_EQ(report::fault_of(one), "");
  EXPECT_EQ(one.find(folder_.path().string()), std::string::npos);
  for (const char* words : {"npu/decoder_ar32_cl96_w8.onnx", "model.vision_tower.stages.0.blocks.0", "decoder w8",
                            "data:image/jpeg;base64,", "What is in this picture?", "model.layers.1", "MatMulNBits"})
    EXPECT_NE(one.find(words), std::string::npos) << words;
}

TEST_F(ReportPage, ShowsWhichLayerOfADamagedExportDeparts) {
  export_golden("out");
  // The sign and the size of the weights of one projection in the second layer.
  const Json manifest = run_json({"inspect", at("out"), "--tensors"});
  std::uint64_t offset = 0, bytes = 0;
  std::string file;
  for (const Json& weight : manifest["tensor_list"])
    if (weight["name"].get<std::string>().starts_with("model.layers.1.mlp.down_proj") &&
        weight["file"].get<std::string>() == "npu/decoder.onnx.data")
      offset = weight["offset"], bytes = weight["bytes"], file = weight["file"];
  ASSERT_GT(bytes, 0U);
  std::string data = page("out/" + file);
  for (std::uint64_t i = offset; i < offset + bytes; ++i) data[i] = static_cast<char>(data[i] ^ (i % 2 == 1 ? 0x80 : 0));
  ASSERT_TRUE(write_file_atomically(folder_ / "out" / file, data).ok());

  const Json facts = run_json({"report", "--output-dir", at("out"), "--html", at("page.html")}, "", 1);
  EXPECT_EQ(facts["passed"], false);
  const std::string text = page("page.html");
  EXPECT_NE(text.find("<p class=\"bad\">files npu/decoder.onnx.data"), std::string::npos);
  const auto snr = [&](const std::string& module) {
    const std::size_t table = text.find("decoder fp16: CPU against the plain graphs"), row = text.find("<td>" + module + "</td>", table);
    const std::size_t value = text.find("class=\"number\">", row) + 15;
    return std::stod(text.substr(value, 8));
  };
  EXPECT_GT(snr("model.layers.0"), 100);
  EXPECT_LT(snr("model.layers.1"), 20);
}

TEST_F(ReportPage, SaysWhatIsWrongWithItsArguments) {
  const std::string html = at("page.html");
  struct Case {
    std::vector<std::string> arguments;
    int code;
    const char* words;
  };
  export_golden("out");
  for (const auto& [arguments, code, words] :
       {Case{{"--output-dir", at("none"), "--html", html}, 3, "none"}, Case{{"--output-dir", at("out")}, 2, "--html is required"},
        Case{{"--output-dir", at("out"), "--html", html, "--question", " "}, 2, "--question is empty"},
        Case{{"--output-dir", at("out"), "--html", html, "--picture", at("no.png"), "--no-verify"}, 3, "no.png"},
        Case{{"--output-dir", at("out"), "--html", at("nowhere/page.html"), "--no-verify"}, 4, "nowhere"}}) {
    std::vector<std::string> all = {"report", "--quiet"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    const ProcessResult result = run_program(all);
    EXPECT_EQ(result.exit_code, code) << result.output;
    EXPECT_NE(result.output.find(words), std::string::npos) << result.output;
    EXPECT_FALSE(std::filesystem::exists(html));
  }
}

}  // namespace
}  // namespace fastvlm::cli
