#include "fastvlm/targets/qnn/compile/sdk_tools.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fastvlm/base/json.h"
#include "fastvlm/targets/qnn/chips/soc_for_tests.h"

namespace fastvlm::qnn {
namespace {

// A folder that looks like an SDK; its tools write down how they were called.
class SdkToolsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(root_);
    for (const char* folder : {"sdk/bin/x86_64-linux-clang", "sdk/lib/x86_64-linux-clang", "npu", "out", "logs"})
      std::filesystem::create_directories(root_ / folder);
    for (const char* library : {"libQnnHtp.so", "libQnnModelDlc.so", "libQnnHtpNetRunExtensions.so"})
      write(Path("sdk/lib/x86_64-linux-clang") / library, "");
    tool("qairt-converter", "echo \"$@\" >> " + (root_ / "calls").string() + "; touch \"$4\"");
    tool("qnn-context-binary-generator", "echo \"$@\" >> " + (root_ / "calls").string() + "; echo context > \"${10}/$8.bin\"");
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void write(const Path& name, const std::string& text) { ASSERT_TRUE(write_file_atomically(root_ / name, text).ok()); }
  void tool(const std::string& name, const std::string& body) {
    const Path path = Path("sdk/bin/x86_64-linux-clang") / name;
    write(path, "#!/bin/sh\n" + body + "\n");
    ASSERT_EQ(::chmod((root_ / path).c_str(), 0755), 0);
  }
  CompileRequest request() const {
    return {.graph_folder = root_ / "npu",
            .output_folder = root_ / "out",
            .chip = chip_for_tests("sm8750"),
            .groups = {{.name = "vision", .graphs = {"vision_256", "vision_512"}}},
            .log_folder = root_ / "logs",
            .sdk = root_ / "sdk"};
  }
  const Path root_ = std::filesystem::temp_directory_path() / ("fastvlm-sdk-" + std::to_string(::getpid()));
};

TEST_F(SdkToolsTest, NamesEveryToolThatIsMissing) {
  std::filesystem::remove(root_ / "sdk/bin/x86_64-linux-clang/qairt-converter");
  auto tools = find_sdk_tools(root_ / "sdk");
  ASSERT_FALSE(tools.ok());
  EXPECT_EQ(tools.error().kind, ErrorKind::kEnvironment);
  EXPECT_NE(tools.error().message.find("bin/x86_64-linux-clang/qairt-converter"), std::string::npos);
  EXPECT_EQ(tools.error().message.find("libQnnHtp.so"), std::string::npos);
}

TEST_F(SdkToolsTest, ConvertsEachGraphAndPutsAllIntoOneSharedContext) {
  auto tools = find_sdk_tools(root_ / "sdk");
  ASSERT_TRUE(tools.ok());
  const SdkPlan plan = sdk_plan(*tools, request(), request().groups[0], root_ / "work");
  ASSERT_EQ(plan.commands.size(), 3u);
  EXPECT_EQ(plan.commands[0].arguments[1], (root_ / "npu/vision_256.onnx").string());
  EXPECT_EQ(plan.commands[2].arguments[5], (root_ / "work/vision_256.dlc").string() + "," + (root_ / "work/vision_512.dlc").string());
  const Json htp = Json::parse(plan.htp_config);
  EXPECT_EQ(htp["devices"][0]["soc_model"], 69);
  EXPECT_EQ(htp["devices"][0]["dsp_arch"], "v79");
  EXPECT_EQ(htp["context"]["weight_sharing_enabled"], true);
}

TEST_F(SdkToolsTest, RunsTheToolsAndFindsTheirContext) {
  Progress progress;
  auto groups = compile_groups_with_sdk(request(), progress);
  ASSERT_TRUE(groups.ok()) << groups.error().message;
  EXPECT_EQ(groups->at(0).binary, "vision.bin");
  EXPECT_EQ(groups->at(0).bytes, 8u);
  auto calls = read_file(root_ / "calls", 10000);
  EXPECT_NE(calls->find("vision_512.onnx"), std::string::npos);
}

TEST_F(SdkToolsTest, AFailingToolIsASentenceWithItsLog) {
  tool("qnn-context-binary-generator", "echo no licence; exit 9");
  Progress progress;
  auto groups = compile_groups_with_sdk(request(), progress);
  ASSERT_FALSE(groups.ok());
  EXPECT_NE(groups.error().message.find("exit code 9"), std::string::npos) << groups.error().message;
  EXPECT_NE(groups.error().message.find(".log"), std::string::npos);
}

}  // namespace
}  // namespace fastvlm::qnn
