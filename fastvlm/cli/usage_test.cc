// Arguments, exit code, and words that the message must have.
#include "fastvlm/cli/program_for_tests.h"

namespace fastvlm::cli {
namespace {

struct UsageCase {
  std::vector<std::string> arguments;
  int code;
  const char* words;
};

const UsageCase kUsageCases[] = {
    {{}, 2, "a verb is missing"},
    {{"--help"}, 0, "Start here"},
    {{"--version"}, 0, "fastvlm-npu 0."},
    {{"export", "--help"}, 0, "Exit codes: 0 done"},
    {{"export", "--help"}, 0, "--threads N (default: one for each core)"},
    {{"help"}, 0, "Start here"},
    {{"help", "export"}, 0, "--model-dir PATH REQUIRED"},
    {{"help", "exprot"}, 2, "did you mean export?"},
    {{"version"}, 0, "fastvlm-npu 0."},
    {{"completion", "tcsh"}, 2, "is not one of bash|zsh|fish"},
    {{"exprot"}, 2, "did you mean export?"},
    {{"--threads", "2", "inspekt"}, 2, "did you mean inspect?"},
    {{"--bogus"}, 2, "there is no option --bogus"},
    {{"export"}, 2, "--model-dir is required"},
    {{"export", "--model-dri", "x"}, 2, "did you mean --model-dir?"},
    {{"export", "--model-dir", "", "--output-dir", "x"}, 2, "the path is empty"},
    {{"export", "--model-dir", "x", "--output-dir", "y", "--dtype", "int4"}, 2, "is not one of float32|float16"},
    {{"export", "--model-dir", "x", "--output-dir", "y", "--image-size", "5x"}, 2, "--image-size = 5x"},
    {{"export", "--model-dir", "x", "--output-dir", "y", "--context", "64"}, 2, "--target"},
    {{"plan", "--model-dir", "x", "--model-dir", "y"}, 2, "--model-dir is given more than once"},
    {{"plan", "--model-dir", "x", "--image-size", "99999999999999999999"}, 2, "--image-size = 9999"},
    {{"plan", "--model-dir", "/nowhere", "--target", "sm8750, sm8650", "--image-sizes", "512, 1024"}, 3, "/nowhere"},
    {{"plan", "--model-dir", "/nowhere", "--target", "sm8750", "--image-sizes", "512,", "1024"}, 3, "/nowhere"},
    {{"plan", "--model-dir", "x", "--target", "sm8750", "--image-sizes", "512 1024"}, 2, "--image-sizes = "},
    {{"plan", "--model-dir", "x", "--target", "sm8750", "--image-sizes", ","}, 2, "--image-sizes = "},
    {{"plan", "--model-dir", "x", "--target", "sm8750", "--part-limit", "-1"}, 2, "-1 is below 0"},
    {{"plan", "--model-dir", "/nowhere"}, 3, "/nowhere: there is no such folder"},
    {{"--threads", "-1", "plan", "--model-dir", "x"}, 2, "--threads"},
    {{"diff", "/nowhere"}, 2, "second is required"},
    {{"diff", "/nowhere", "/elsewhere"}, 3, "/nowhere: there is no such file or folder"},
    {{"inspect"}, 2, "path is required"},
    {{"inspect", "a", "b"}, 2, "b"},
    {{"inspect", "/nowhere"}, 3, "/nowhere: there is no such file or folder"},
    {{"check-ops", "x.onnx", "--target", "sm9999"}, 2, "is not a chip we know"},
    {{"check-ops", "x.onnx", "--target", "7 gen 3"}, 2, "is not a chip we know. Known are"},
    {{"check-ops", "x.onnx", "--target", "sm8750", "--freeze", "batch=1,batch=2"}, 2, "--freeze batch: is given more than once"},
    {{"check-ops", "x.onnx", "--target", "sm8750", "--limit", "0"}, 2, "is not a number of seconds from 1 to 86400"},
    {{"check-ops", "x.onnx", "--target", "sm8750", "--limit", "-3"}, 2, "from 1 to 86400"},
    {{"check-ops", "x.onnx", "--target", "sm8750", "--limit", "nan"}, 2, "from 1 to 86400"},
    {{"check-ops", "x.onnx", "--target", "sm8750", "--limit", "1e300"}, 2, "from 1 to 86400"},
    {{"plan", "--target", "help"}, 2, "galaxy s25"},
    {{"plan", "--help"}, 0, "Galaxy S25"},
    {{"verify", "--output-dir", "x", "--layout", "npu", "--model-dir", "y"}, 2, "--model-dir is not looked at with --layout"},
    {{"verify", "--output-dir", "x", "--layout", "npu", "--runner", "htp"}, 2, "--runner is not looked at with --layout"},
    {{"verify", "--bundle", "x", "--layout", "npu"}, 2, "--layout is not looked at with --bundle"},
    {{"export", "--model-dir", "x", "--output-dir", "y", "--layout", "transformers-js", "--dtype", "float16"},
     2,
     "--dtype float16: a layout"},
    {{"export", "--model-dir", "x", "--output-dir", "y", "--layout", "transformers-js", "--unshared"}, 2, "--unshared"},
    {{"export", "--model-dir", "x", "--output-dir", "y", "--layout", "npu", "--target", "sm8750", "--variants", "q4"},
     2,
     "--variants q4: the layout"},
    {{"report", "--output-dir", "x", "--html", (kTestData / "onnx/if.onnx").string()}, 2, "is no page"},
    {{"check-ops", "/nowhere.onnx", "--target", "sm8750"}, 3, "/nowhere.onnx: there is no such file"},
    {{"make-checkpoint", "--size", "3b", "--dialect", "hf", "--output-dir", "x"}, 2, "is not one of tiny|0.5b|1.5b|7b"},
    {{"make-checkpoint", "--dialect", "hf", "--output-dir", "x"}, 2, "--size is required"},
    {{"make-checkpoint", "--model-dir", "/nowhere", "--output-dir", "x"}, 2, "--model-dir is for --outliers"},
    {{"make-checkpoint", "--model-dir", "/nowhere", "--size", "tiny", "--output-dir", "x", "--outliers"}, 2, "leave out --size"},
    {{"make-checkpoint", "--model-dir", "/nowhere", "--output-dir", "x", "--outliers"}, 3, "/nowhere"},
    {{"preprocess", "--image", "/nowhere.png", "--output", "x.png"}, 3, "/nowhere.png"},
    {{"preprocess", "--image", "/nowhere.png", "--output", "x.jpg"}, 2, "must end in .png or .bin"},
    {{"preprocess", "--image", "x.png", "--output", "y.png", "--image-size", "100"}, 2, "100"},
    {{"tokenize", "--model-dir", "/nowhere"}, 3, "/nowhere"},
    {{"tokenize", "--model-dir", "x", "--decode", "--chat"}, 2, "excludes"},
    {{"evaluate", "--output-dir", "x"}, 2, "--data is required"},
    {{"evaluate", "--output-dir", "x", "--data", "/nowhere.jsonl"}, 3, "/nowhere.jsonl"},
    {{"evaluate", "--output-dir", "x", "--data", "y", "--format", "xml"}, 2, "--format xml: is not one of jsonl, json, csv, tsv"},
    {{"evaluate", "--output-dir", "x", "--data", "y", "--forced", "none"}, 2, "is not one of greedy|given"},
    {{"evaluate", "--output-dir", "x", "--data", "y", "--min-score", "high"}, 2, "--min-score"},
    {{"quantize", "--model-dir", "x"}, 2, "say what to do"},
    {{"quantize", "--sensitivity"}, 2, "--model-dir is required"},
    {{"quantize", "--sensitivity", "--model-dir", "x", "--output", "y.json"}, 2, "for which --size or --quality?"},
    {{"quantize", "--sensitivity", "--model-dir", "x", "--size", "0.3", "--quality", "1"}, 2, "excludes"},
    {{"quantize", "--sensitivity", "--model-dir", "x", "--size", "3 MB"}, 2, "--size 3 MB: must be a number of bytes such as 340M"},
    {{"quantize", "--sensitivity", "--model-dir", "x", "--recipe", "w3"}, 2, "built in are fp16, w8, w4"},
    {{"quantize", "--sensitivity", "--model-dir", "x", "--recipe", "w4,w8"}, 2, "one is taken apart at a time"},
    {{"quantize", "--model-dir", "x", "--output-dir", "y"}, 2, "--recipe is required"},
    {{"quantize", "--model-dir", "x", "--output-dir", "y", "--size", "1"}, 2, "--sensitivity"},
    {{"quantize", "--model-dir", "x", "--output-dir", "y", "--sensitivity"}, 2, "excludes"},
    {{"quantize", "--model-dir", "x", "--output-dir", "/nowhere", "--recipe", "w8"}, 3, "/nowhere: there is no such folder"},
    {{"quantize", "--sensitivity", "--model-dir", "/nowhere", "--size", "0.3"}, 3, "/nowhere: there is no such folder"},
    {{"doctor", "--ort-library", "/nowhere"}, 2, "--ort-library /nowhere"},
};

TEST(CommandLine, EndsWithTheCodeAndSaysWhatIsWrong) {
  for (const UsageCase& row : kUsageCases) {
    std::string line;
    for (const std::string& argument : row.arguments) line += " " + argument;
    const ProcessResult result = run_program(row.arguments);
    EXPECT_EQ(result.exit_code, row.code) << line << "\n" << result.output;
    EXPECT_NE(result.output.find(row.words), std::string::npos) << line << "\n" << result.output;
    if (row.code == 2 && row.arguments.size() > 1 && result.output.find("--ort-library") == std::string::npos) {
      EXPECT_EQ(result.output.rfind("fastvlm-npu: ", 0), 0u) << line << "\n" << result.output;
    }
  }
}

TEST(CommandLine, EveryVerbHasAnExampleInItsHelp) {
  const ProcessResult help = run_program({"--help"});
  for (const char* verb : {"export", "plan", "calibrate", "quantize", "inspect", "compile", "evaluate", "make-checkpoint", "doctor",
                           "check-ops", "preprocess", "tokenize", "completion", "man"}) {
    EXPECT_NE(help.output.find(std::string("\n  ") + verb + " "), std::string::npos) << verb;
    const ProcessResult result = run_program({verb, "--help"});
    EXPECT_EQ(result.exit_code, 0) << verb;
    const auto example = result.output.find("Example:");
    ASSERT_NE(example, std::string::npos) << verb;
    EXPECT_NE(result.output.find(std::string("fastvlm-npu ") + verb, example), std::string::npos) << result.output;
  }
}

TEST(CommandLine, WithJsonAnErrorIsJsonToo) {
  const Json missing = run_json({"inspect", "/nowhere"}, "", 3);
  EXPECT_EQ(missing["error"]["kind"], "bad_input");
  EXPECT_NE(missing["error"]["message"].get<std::string>().find("/nowhere"), std::string::npos);
  const Json usage = run_json({"export"}, "", 2);
  EXPECT_EQ(usage["error"]["kind"], "usage");
}

TEST(CommandLine, AFullDiskBehindStandardOutputIsAnEnvironmentError) {
  auto result = run_process({.program = "/bin/sh", .arguments = {"-c", std::string(FASTVLM_PROGRAM) + " doctor --json > /dev/full"}});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->exit_code, 4);
  EXPECT_NE(result->output.find("cannot write to standard output"), std::string::npos) << result->output;
}

TEST(CommandLine, AClosedPipeEndsQuietly) {
  const std::string folder = (kTestData / "golden/apple-tied/checkpoint").string();
  auto result =
      run_process({.program = "/bin/sh", .arguments = {"-c", std::string(FASTVLM_PROGRAM) + " inspect --tensors " + folder + " | true"}});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->exit_code, 0);
  EXPECT_EQ(result->output, "");
}

TEST(Doctor, TellsOfMissingRuntimesAndEndsWell) {
  FolderForTests folder;
  const Json report = run_json({"doctor", "--cache", folder.path().string()});
  EXPECT_EQ(report["cache_folder"], folder.path().string());
  ASSERT_EQ(report["runtimes"].size(), 2u);
  for (const Json& runtime : report["runtimes"])
    if (!runtime["found"].get<bool>()) {
      EXPECT_NE(runtime["note"], "");
    }
}

TEST(Doctor, SaysWhyAFileThatIsNoLibraryDoesNotLoad) {
  FolderForTests folder;
  const Path fake = folder.write("libonnxruntime.so", "not a library");
  const Json report = run_json({"doctor", "--cache", folder.path().string(), "--ort-library", fake.string()});
  EXPECT_EQ(report["runtimes"][0]["loads"], false);
  EXPECT_NE(report["runtimes"][0]["note"], "");
  EXPECT_EQ(report["complete"], false);
}

}  // namespace
}  // namespace fastvlm::cli
