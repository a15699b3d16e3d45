// The verb on a checkpoint that answers: scores, shards, a kill, a second decoder.
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <chrono>
#include <sstream>
#include <thread>

#include "fastvlm/cli/program_for_tests.h"

extern char** environ;

namespace fastvlm::cli {
namespace {

const Path kTrained = kTestData / "trained";
constexpr std::size_t kQuestions = 10;

class EvaluateVerb : public testing::Test {
 protected:
  void SetUp() override {
    const ProcessResult made =
        run_program({"export", "--model-dir", (kTrained / "checkpoint").string(), "--output-dir", out(), "--target", "sm8750",
                     "--image-sizes", "256", "--prefill", "32", "--context", "128", "--recipe", "fp16,w4", "--no-compile", "--quiet"});
    ASSERT_EQ(made.exit_code, 0) << made.output;
    std::istringstream lines(read_file(kTrained / "eval/eval.jsonl", 1 << 20).value());
    std::string chosen, line;
    for (std::size_t i = 0; i < kQuestions && std::getline(lines, line); ++i) chosen += line + "\n";
    folder_.write("set.jsonl", chosen);
  }
  std::string out() const { return (folder_ / "out").string(); }
  std::vector<std::string> arguments(const std::string& results, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all = {"evaluate",
                                    "--output-dir",
                                    out(),
                                    "--data",
                                    (folder_ / "set.jsonl").string(),
                                    "--images",
                                    (kTrained / "eval").string(),
                                    "--results",
                                    (folder_ / results).string()};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  // The lines of a file, without its header.
  std::string rows(const std::string& results) const {
    const std::string text = folder_.read(results);
    return text.substr(text.find('\n') + 1);
  }
  FolderForTests folder_;
};

TEST_F(EvaluateVerb, ScoresShardsAndGoesOnAfterAKill) {
  const Json single = run_json(arguments("single.jsonl"));
  EXPECT_EQ(single["questions"], kQuestions);
  EXPECT_EQ(single["failed"], 0);
  EXPECT_EQ(single["metrics"]["exact"]["score"], 1.0);
  const std::string whole = folder_.read("single.jsonl");
  std::string together;
  for (const char* shard : {"1/3", "2/3", "3/3"}) {
    const std::string name = std::string("shard") + shard[0] + ".jsonl";
    run_json(arguments(name, {"--shard", shard}));
    together += rows(name);
  }
  EXPECT_EQ(together, rows("single.jsonl"));

  std::vector<std::string> words = arguments("killed.jsonl", {"--quiet"});
  words.insert(words.begin(), FASTVLM_PROGRAM);
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  pid_t child = 0;
  ASSERT_EQ(::posix_spawn(&child, FASTVLM_PROGRAM, nullptr, nullptr, pointers.data(), environ), 0);
  // Until there is a header and an answer at least.
  std::error_code ignored;
  for (int i = 0; i < 3'000 && (std::filesystem::file_size(folder_ / "killed.jsonl", ignored) == static_cast<std::uintmax_t>(-1) ||
                                rows("killed.jsonl").find('\n') == std::string::npos);
       ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  run_json(arguments("killed.jsonl"));
  EXPECT_EQ(folder_.read("killed.jsonl"), whole);
  const ProcessResult refused = run_program(arguments("single.jsonl", {"--max-new-tokens", "5"}));
  EXPECT_EQ(refused.exit_code, 2) << refused.output;
  EXPECT_NE(refused.output.find("other settings; name another file with --results"), std::string::npos) << refused.output;
}

TEST_F(EvaluateVerb, ComparesWithASecondDecoderAndHoldsBars) {
  const std::vector<std::string> against = {"--recipe", "fp16", "--against-recipe", "w4", "--html", (folder_ / "page.html").string()};
  std::vector<std::string> kept = against, missed = against;
  kept.insert(kept.end(), {"--max-kl", "0.05", "--min-agreement", "0.9", "--max-drop", "0.2"});
  missed.insert(missed.end(), {"--max-kl", "1e-12"});
  const Json json = run_json(arguments("pair.jsonl", kept));
  EXPECT_GT(json["divergence"]["mean"], 0);
  EXPECT_GE(json["divergence"]["tokens"], 2 * kQuestions);
  EXPECT_TRUE(json["missed"].empty());
  EXPECT_NE(folder_.read("page.html").find("data:image/jpeg"), std::string::npos);
  const Json bad = run_json(arguments("pair.jsonl", missed), "", 1);
  EXPECT_NE(bad["missed"][0].get<std::string>().find("--max-kl"), std::string::npos) << bad.dump();
  EXPECT_EQ(bad["divergence"], json["divergence"]);
}

TEST_F(EvaluateVerb, ABadLineAndAMissingPictureFailAlone) {
  folder_.write("set.jsonl",
                "{\"image\": \"000.png\", \"prompt\": \"What color is the cross?\", \"answer\": \"purple\"}\n{\n"
                "{\"image\": \"none.png\", \"prompt\": \"What?\", \"answer\": \"x\"}\n");
  const Json json = run_json(arguments("r.jsonl"), "", 1);
  EXPECT_EQ(json["failed"], 2);
  EXPECT_NEAR(json["metrics"]["exact"]["score"].get<double>(), 1.0 / 3, 1e-12);
  EXPECT_EQ(run_json(arguments("r.jsonl", {"--max-failed", "2"}))["failed"], 2);
  const ProcessResult told = run_program(arguments("r.jsonl"));
  EXPECT_NE(told.output.find("line 2: "), std::string::npos) << told.output;
  EXPECT_NE(told.output.find("line 3: none.png"), std::string::npos) << told.output;
}

}  // namespace
}  // namespace fastvlm::cli
