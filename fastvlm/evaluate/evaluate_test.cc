#include "fastvlm/evaluate/evaluate.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "fastvlm/base/interrupt.h"
#include "fastvlm/evaluate/evaluate_for_tests.h"
#include "fastvlm/evaluate/merge_results.h"
#include "fastvlm/evaluate/results_file.h"

namespace fastvlm {
namespace {

class Evaluate : public testing::Test {
 protected:
  std::string single() {
    EXPECT_TRUE(evaluate_for_tests(set_, folder_ / "single.jsonl").ok());
    return folder_.read("single.jsonl");
  }
  FolderForTests folder_;
  QuestionSet set_ = set_for_tests(40);
};

TEST_F(Evaluate, WritesALineForEachQuestionWithItsScores) {
  const auto report = evaluate_for_tests(set_, folder_ / "r.jsonl");
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_EQ(report->answered, 36U);
  ASSERT_EQ(report->results.rows.size(), 40U);
  EXPECT_EQ(report->results.rows[0].reply.scores, (std::vector<double>{1, 1}));
  EXPECT_EQ(report->results.rows[2].reply.scores, (std::vector<double>{0, 0}));
  EXPECT_EQ(report->results.rows[9].error, "no picture");
  EXPECT_EQ(report->results.header, header_for_tests(set_));
  EXPECT_EQ(read_results(folder_ / "r.jsonl")->rows, report->results.rows);
}

TEST_F(Evaluate, RedoesWhatAKillHasCutOffAnywhere) {
  set_ = set_for_tests(3);
  const std::string whole = single();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    folder_.write("cut.jsonl", std::string_view(whole).substr(0, length));
    const auto report = evaluate_for_tests(set_, folder_ / "cut.jsonl");
    ASSERT_TRUE(report.ok()) << length << ": " << report.error().message;
    ASSERT_EQ(folder_.read("cut.jsonl"), whole) << length;
  }
}

TEST_F(Evaluate, AsksAgainOnlyWhatFailedAndPutsItInItsPlace) {
  single();
  std::vector<std::size_t> asked;
  const auto report =
      evaluate_for_tests(set_, folder_ / "single.jsonl", {}, [&](const Question& question, const Question*) -> Result<Answered> {
        asked.push_back(question.number);
        return Answered{.reply = {.answer = "yes", .ids = {1}, .finish = "stop"}};
      });
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(asked, (std::vector<std::size_t>{10, 20, 30, 40}));
  for (std::size_t i = 0; i < 40; ++i) EXPECT_EQ(report->results.rows[i].question, i + 1);
}

TEST_F(Evaluate, ResultsOfSomethingElseAreRefusedAndStayAsTheyAre) {
  const std::string whole = single();
  const Path file = folder_ / "single.jsonl";
  QuestionSet other_set = set_;
  other_set.hash = "other";
  EXPECT_FALSE(evaluate_for_tests(other_set, file).ok());
  EXPECT_FALSE(evaluate_for_tests(set_, file, {.index = 1, .count = 2}).ok());
  for (std::string AnsweredBy::* field : {&AnsweredBy::model, &AnsweredBy::runner, &AnsweredBy::recipe, &AnsweredBy::run}) {
    ResultsHeader header = header_for_tests(set_);
    header.by.*field = "other";
    const auto opened = ResultsFile::open(file, header);
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().kind, ErrorKind::kUsage);
  }
  EXPECT_EQ(folder_.read("single.jsonl"), whole);
  folder_.write("notes.txt", "my notes\nmore of them\n");
  EXPECT_FALSE(evaluate_for_tests(set_, folder_ / "notes.txt").ok());
  EXPECT_EQ(folder_.read("notes.txt"), "my notes\nmore of them\n");
}

TEST_F(Evaluate, TwoRunsDoNotWriteOneFile) {
  const auto opened = ResultsFile::open(folder_ / "r.jsonl", header_for_tests(set_));
  ASSERT_TRUE(opened.ok());
  const auto second = evaluate_for_tests(set_, folder_ / "r.jsonl");
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.error().message.find("another run is writing it"), std::string::npos);
}

TEST_F(Evaluate, AnInterruptKeepsWhatIsThere) {
  std::stop_source stop;
  const auto stopped = [&] {
    const StopScope scope(stop.get_token());
    return evaluate_for_tests(set_, folder_ / "r.jsonl", {}, [&](const Question& question, const Question*) {
      if (question.number == 7) stop.request_stop();
      return answer_for_tests(question, nullptr);
    });
  }();
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().kind, ErrorKind::kInterrupted);
  EXPECT_EQ(stopped.error().message,
            fmt::format("interrupted; 7 answers are kept in {}, run the same again to go on", (folder_ / "r.jsonl").string()));
  const auto report = evaluate_for_tests(set_, folder_ / "r.jsonl");
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->answered_before, 7U);
  EXPECT_EQ(folder_.read("r.jsonl"), single());
}

// A child that answers until it is killed.
pid_t start_child(const QuestionSet& set, const Path& file) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  const auto report = evaluate_for_tests(set, file, {}, [](const Question& question, const Question*) {
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    return answer_for_tests(question, nullptr);
  });
  ::_exit(report.ok() ? 0 : 1);
}

TEST_F(Evaluate, KilledTenTimesAtRandomEveryLineIsAnsweredOnce) {
  const QuestionSet set = set_for_tests(1'000);
  const Path file = folder_ / "r.jsonl";
  std::mt19937 random(7);
  int killed = 0;
  for (int i = 0; i < 10; ++i) {
    const pid_t child = start_child(set, file);
    ASSERT_GT(child, 0);
    std::this_thread::sleep_for(std::chrono::microseconds(2'000 + random() % 20'000));
    ::kill(child, SIGKILL);
    int state = 0;
    ASSERT_EQ(::waitpid(child, &state, 0), child);
    killed += WIFSIGNALED(state) ? 1 : 0;
  }
  EXPECT_EQ(killed, 10) << "the children ended before they were killed";
  ASSERT_TRUE(evaluate_for_tests(set, file).ok());
  ASSERT_TRUE(evaluate_for_tests(set, folder_ / "single.jsonl").ok());
  EXPECT_EQ(folder_.read("r.jsonl"), folder_.read("single.jsonl"));
}

// ---- Shards -------------------------------------------------------------------------------------------------------------

std::vector<Path> run_shards(const QuestionSet& set, const FolderForTests& folder, std::size_t count) {
  std::vector<Path> files;
  for (std::size_t i = 1; i <= count; ++i) {
    files.push_back(folder / fmt::format("{}of{}.jsonl", i, count));
    EXPECT_TRUE(evaluate_for_tests(set, files.back(), {.index = i, .count = count}).ok());
  }
  return files;
}

TEST_F(Evaluate, MergedShardsAreTheBytesOfTheSingleRunInAnyOrder) {
  const std::string whole = single();
  std::mt19937 random(1);
  for (std::size_t count : {1, 2, 3, 7, 50}) {
    std::vector<Path> files = run_shards(set_, folder_, count);
    for (int order = 0; order < 3; ++order) {
      const auto merged = merge_results(files, folder_ / "merged.jsonl");
      ASSERT_TRUE(merged.ok()) << merged.error().message;
      EXPECT_EQ(merged->failed, 4U);
      EXPECT_EQ(folder_.read("merged.jsonl"), whole) << count;
      std::ranges::shuffle(files, random);
    }
  }
}

TEST_F(Evaluate, ShardsThatDoNotFitAreNotMerged) {
  std::vector<Path> files = run_shards(set_, folder_, 3);
  const auto refused = [&](const std::vector<Path>& some, const std::string& words) {
    const auto merged = merge_results(some, folder_ / "merged.jsonl");
    ASSERT_FALSE(merged.ok()) << words;
    EXPECT_NE(merged.error().message.find(words), std::string::npos) << merged.error().message;
    EXPECT_FALSE(std::filesystem::exists(folder_ / "merged.jsonl")) << words;
  };
  refused({}, "nothing to merge");
  refused({files[0], files[2]}, "shard 2/3 is missing");
  refused({files[0], files[1]}, "shard 3/3 is missing");
  refused({files[1], files[2]}, "shard 1/3 is missing");
  refused({files[0], files[1], files[1], files[2]}, "are both shard 2/3");
  refused({files[0], run_shards(set_, folder_, 2)[1]}, "is one of 2 shards");
  const std::string second = folder_.read("2of3.jsonl");
  const auto damaged = [&](std::string text, const std::string& words) {
    folder_.write("2of3.jsonl", text);
    refused(files, words);
  };
  damaged(replaced_in(second, "\"model\":\"m\"", "\"model\":\"n\""), "another model");
  damaged(replaced_in(second, "\"data\":\"hash\"", "\"data\":\"other\""), "another set");
  damaged(replaced_in(second, "\"runner\":\"cpu\"", "\"runner\":\"htp\""), "the runner htp, not cpu");
  damaged(second.substr(0, second.size() - 1), "cut off");
  damaged(second.substr(0, second.rfind('\n', second.size() - 2) + 1), "12 of 13 questions");
  damaged("", "no file of results");
  folder_.write("2of3.jsonl", second);
  EXPECT_TRUE(merge_results(files, folder_ / "merged.jsonl").ok());
}

}  // namespace
}  // namespace fastvlm
