// Exports of the golden checkpoints, made once by the program itself.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <map>
#include <string>
#include <vector>

#include "fastvlm/base/try.h"
#include "fastvlm/chat/chat.h"
#include "fastvlm/process/process.h"
#include "fastvlm/run/ort_runner.h"
#include "fastvlm/run/runtimes_for_tests.h"

namespace fastvlm {

inline const std::vector<std::string> kGoldenNames = {"apple-tied", "hf-unfused", "hf-untied-sharded"};
inline const Path kGoldenFolder = Path(FASTVLM_TEST_DATA) / "golden";
inline const Path kPhoto = Path(FASTVLM_TEST_DATA) / "images/edge/exif1.jpg";
inline const Path kOtherPhoto = Path(FASTVLM_TEST_DATA) / "images/edge/cmyk.jpg";

// A folder of the whole test program, gone at its end.
class ExportsForTests {
 public:
  ~ExportsForTests() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  const Path& folder(const std::string& golden, const std::vector<std::string>& more, bool with_static = true) {
    std::string key = with_static ? golden : "plain " + golden;
    for (const std::string& word : more) key += " " + word;
    if (auto found = folders_.find(key); found != folders_.end()) return found->second;
    const Path folder = root_ / std::to_string(folders_.size());
    std::filesystem::create_directories(root_);
    ProcessOptions process{
        .program = FASTVLM_PROGRAM,
        .arguments = {"export", "--model-dir", (kGoldenFolder / golden / "checkpoint").string(), "--output-dir", folder.string()}};
    if (with_static) process.arguments.insert(process.arguments.end(), {"--target", "sm8750", "--image-sizes", "128,256", "--no-compile"});
    process.arguments.insert(process.arguments.end(), more.begin(), more.end());
    auto result = run_process(process);
    EXPECT_TRUE(result.ok() && result->ok()) << FASTVLM_PROGRAM << (result.ok() ? result->output : result.error().message);
    return folders_[key] = folder;
  }

 private:
  Path root_ = Path(testing::TempDir()) / fmt::format("fastvlm-chat-exports-{}", ::getpid());
  std::map<std::string, Path> folders_;
};

inline ExportsForTests& exports_for_tests() {
  static ExportsForTests exports;
  return exports;
}
inline const Path& exported(const std::string& golden, const std::vector<std::string>& more = {"--prefill", "16,32", "--context", "128"}) {
  return exports_for_tests().folder(golden, more);
}
// Without graphs for an NPU.
inline const Path& exported_plain(const std::string& golden, const std::vector<std::string>& more = {}) {
  return exports_for_tests().folder(golden, more, /*with_static=*/false);
}

inline OpenGraph cpu_graphs() {
  return [runtime = onnxruntime_for_tests()](const Path& model) -> Result<std::unique_ptr<Runner>> {
    TRY_ASSIGN(std::unique_ptr<Runner> runner, OrtRunner::open(runtime, model, {.threads = 1, .disable_prepacking = true}));
    return runner;
  };
}

}  // namespace fastvlm
