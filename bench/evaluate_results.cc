// A large run of evaluate without a model: 10,000 questions in a child that is killed ten times at random, then 1,000 shards merged.
// Prints seconds and peak memory; ends with 1 when a line is missing, there twice, or the merged file is not that of the single run.
#include <fmt/core.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <random>
#include <thread>

#include "fastvlm/base/temporary_folder.h"
#include "fastvlm/evaluate/evaluate.h"
#include "fastvlm/evaluate/merge_results.h"

namespace {

using namespace fastvlm;

constexpr std::size_t kQuestions = 10'000;
constexpr std::size_t kShards = 1'000;
constexpr int kKills = 10;

QuestionSet made_up_set() {
  QuestionSet set{.hash = "made up", .has_answers = true};
  for (std::size_t i = 1; i <= kQuestions; ++i)
    set.questions.push_back({.number = i, .line = i, .id = i, .prompt = std::to_string(i), .answers = {"yes"}});
  return set;
}

Result<Answered> answer(const Question& question) {
  const auto id = static_cast<std::int32_t>(question.number);
  return Answered{.reply = {.answer = question.number % 3 == 0 ? "no" : "yes", .ids = std::vector<std::int32_t>(16, id), .finish = "stop"}};
}

bool run(const QuestionSet& set, const Path& file, const Shard& shard, int microseconds) {
  ResultsHeader header{.by = {.model = "m", .runner = "none", .recipe = "none", .run = "r"}, .shard = shard};
  if (!describe_set(set, {"exact", "anls"}, header).ok()) return false;
  Progress progress;
  const auto report = run_evaluation(
      set, header, file,
      [&](const Question& question, const Question*) {
        if (microseconds > 0) std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
        return answer(question);
      },
      progress);
  if (!report.ok()) fmt::print(stderr, "{}\n", report.error().message);
  return report.ok();
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

std::string bytes_of(const Path& file) { return read_file(file, std::size_t{1} << 30).value(); }

// Of a child of its own, in MB.
double merge_in_child(const std::vector<Path>& files, const Path& output) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(merge_results(files, output).ok() ? 0 : 1);
  int state = 0;
  rusage usage = {};
  ::wait4(child, &state, 0, &usage);
  return state == 0 ? static_cast<double>(usage.ru_maxrss) / 1024 : -1;
}

bool kill_and_go_on(const QuestionSet& set, const Path& folder) {
  std::mt19937 random(std::random_device{}());
  const Path file = folder / "killed.jsonl";
  for (int i = 0; i < kKills; ++i) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(run(set, file, {}, 200) ? 0 : 1);
    std::this_thread::sleep_for(std::chrono::milliseconds(20 + random() % 250));
    ::kill(child, SIGKILL);
    int state = 0;
    ::waitpid(child, &state, 0);
    if (!WIFSIGNALED(state)) return false;
  }
  return run(set, file, {}, 0) && run(set, folder / "single.jsonl", {}, 0) && bytes_of(file) == bytes_of(folder / "single.jsonl");
}

}  // namespace

int main() {
  const QuestionSet set = made_up_set();
  const auto folder = TemporaryFolder::create();
  if (!folder.ok()) return 1;
  const bool once = kill_and_go_on(set, folder->path());
  fmt::print("{} lines, killed {} times: {}\n", kQuestions, kKills, once ? "every line once, the bytes of one run" : "WRONG");

  std::vector<Path> files;
  for (std::size_t i = 1; i <= kShards; ++i) {
    files.push_back(folder->path() / fmt::format("{}.jsonl", i));
    if (!run(set, files.back(), {.index = i, .count = kShards}, 0)) return 1;
  }
  const auto begin = std::chrono::steady_clock::now();
  const double megabytes = merge_in_child(files, folder->path() / "merged.jsonl");
  const double seconds = seconds_since(begin);
  const bool same = megabytes > 0 && bytes_of(folder->path() / "merged.jsonl") == bytes_of(folder->path() / "single.jsonl");
  fmt::print("{} shards merged in {:.2f} s, {:.0f} MB: {}\n", kShards, seconds, megabytes, same ? "the bytes of one run" : "WRONG");
  return once && same ? 0 : 1;
}
