#include "fastvlm/chat/batch.h"

#include <gtest/gtest.h>

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/base/interrupt.h"
#include "fastvlm/chat/chat_for_tests.h"

namespace fastvlm {
namespace {

constexpr const char* kQuestions =
    "{\"id\": \"a\", \"image\": \"cat.png\", \"prompt\": \"one\"}\n"
    "\n"
    "{\"id\": 7, \"prompt\": \"two\"}\r\n"
    "{\"image\": \"/abs/dog.png\", \"prompt\": \"three\"}";

class Batch : public testing::Test {
 protected:
  Result<BatchReport> run(const std::string& name = "run") {
    Progress progress;
    std::stop_source stop;
    const StopScope scope(stop.get_token());
    return run_batch(
        {.file = folder_ / "q.jsonl", .output = folder_ / "a.jsonl", .run = name},
        [&](const BatchItem& item, const BatchItem* next) -> Result<BatchReply> {
          asked_.push_back(item.prompt);
          followed_by_.push_back(next == nullptr ? "" : next->prompt);
          if (item.prompt == stop_at_) {
            stop.request_stop();
            return check_interrupt().error();
          }
          if (item.prompt == fails_) return BatchReply{.error = "no such picture"};
          return BatchReply{.answer = {.ids = {1, 2}, .text = "<" + item.prompt + ">"}};
        },
        progress);
  }

  FolderForTests folder_;
  std::vector<std::string> asked_, followed_by_;
  std::string stop_at_, fails_;
};

TEST_F(Batch, ReadsQuestionsWithTheirLinesAndPicturesBesideTheFile) {
  auto items = parse_batch(kQuestions, "/data", "q");
  ASSERT_TRUE(items.ok()) << items.error().message;
  ASSERT_EQ(items->size(), 3U);
  EXPECT_EQ((*items)[0].line, 1U);
  EXPECT_EQ((*items)[0].image_file, "/data/cat.png");
  EXPECT_EQ((*items)[0].id, OrderedJson("a"));
  EXPECT_EQ((*items)[1].line, 3U);
  EXPECT_TRUE((*items)[1].image.empty());
  EXPECT_EQ((*items)[2].image_file, "/abs/dog.png");
  EXPECT_NE((*items)[0].hash, (*items)[2].hash);
}

TEST_F(Batch, NamesTheLineThatIsNoQuestion) {
  for (const char* line : {"{\"image\": \"cat.png\"}", "[1]", "{\"prompt\": 1}", "{\"prompt\": \"x\", \"image\": \"\"}",
                           "{\"prompt\": \"x\", \"id\": {}}", "{", "{\"prompt\": \"x\", \"prompt\": \"y\"}"}) {
    auto items = parse_batch(std::string("{\"prompt\": \"x\"}\n") + line, "", "q");
    ASSERT_TRUE(items.ok()) << line;
    EXPECT_EQ((*items)[0].problem, "") << line;
    EXPECT_NE((*items)[1].problem.find("line 2"), std::string::npos) << (*items)[1].problem;
    EXPECT_FALSE(parse_batch(line, "", "q").ok()) << line;
  }
  EXPECT_FALSE(parse_batch("\n \n", "", "q").ok());
}

TEST_F(Batch, WritesALineForEachAnswer) {
  folder_.write("q.jsonl", kQuestions);
  auto report = run();
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_EQ(report->answered, 3U);
  EXPECT_EQ(report->new_tokens, 6);
  const std::string text = folder_.read("a.jsonl");
  const Json first = Json::parse(text.substr(0, text.find('\n')));
  EXPECT_EQ(first["line"], 1);
  EXPECT_EQ(first["id"], "a");
  EXPECT_EQ(first["image"], "cat.png");
  EXPECT_EQ(first["prompt"], "one");
  EXPECT_EQ(first["answer"], "<one>");
  EXPECT_EQ(first["finish"], "stop");
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
}

TEST_F(Batch, ABadLineFailsAloneAndIsRedoneWhenItIsMended) {
  folder_.write("q.jsonl", "{\"prompt\": \"one\"}\n{\"prompt\": }\n{\"prompt\": \"three\"}\n");
  auto report = run();
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_EQ(report->answered, 2U);
  EXPECT_EQ(report->failed, 1U);
  EXPECT_NE(folder_.read("a.jsonl").find("\"error\":\""), std::string::npos);
  EXPECT_EQ(followed_by_, (std::vector<std::string>{"three", ""})) << "the bad line has no picture to prepare";
  asked_.clear();
  folder_.write("q.jsonl", "{\"prompt\": \"one\"}\n{\"prompt\": \"two\"}\n{\"prompt\": \"three\"}\n");
  ASSERT_TRUE(run().ok());
  EXPECT_EQ(asked_, (std::vector<std::string>{"two"}));
}

TEST_F(Batch, GoesOnWhereItWasStoppedAndEndsWithTheSameBytes) {
  folder_.write("q.jsonl", kQuestions);
  ASSERT_TRUE(run().ok());
  const std::string whole = folder_.read("a.jsonl");
  std::filesystem::remove(folder_ / "a.jsonl");
  stop_at_ = "two";
  auto stopped = run();
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().kind, ErrorKind::kInterrupted);
  EXPECT_EQ(stopped.error().message,
            fmt::format("interrupted; 1 answer is kept in {}, run the same again to go on", (folder_ / "a.jsonl").string()));
  stop_at_.clear();
  asked_.clear();
  auto report = run();
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->answered_before, 1U);
  EXPECT_EQ(asked_, (std::vector<std::string>{"two", "three"}));
  EXPECT_EQ(followed_by_, (std::vector<std::string>{"two", "three", "", "two", "three", "three", ""}))
      << "three runs: whole, stopped, the rest";
  EXPECT_EQ(folder_.read("a.jsonl"), whole);
}

TEST_F(Batch, RedoesALineThatAKillHasCutOffAnywhere) {
  folder_.write("q.jsonl", kQuestions);
  ASSERT_TRUE(run().ok());
  const std::string whole = folder_.read("a.jsonl");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    folder_.write("a.jsonl", std::string_view(whole).substr(0, length));
    ASSERT_TRUE(run().ok()) << length;
    ASSERT_EQ(folder_.read("a.jsonl"), whole) << length;
  }
}

TEST_F(Batch, RedoesQuestionsThatChangedAndThoseThatFailed) {
  folder_.write("q.jsonl", kQuestions);
  fails_ = "three";
  auto report = run();
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->failed, 1U);
  EXPECT_NE(folder_.read("a.jsonl").find("\"error\":\"no such picture\""), std::string::npos);
  std::string changed = kQuestions;
  changed.replace(changed.find("two"), 3, "2");
  folder_.write("q.jsonl", changed);
  fails_.clear();
  asked_.clear();
  ASSERT_TRUE(run().ok());
  EXPECT_EQ(asked_, (std::vector<std::string>{"2", "three"}));
}

TEST_F(Batch, DoesNotMixAnswersOfDifferentSettingsOrTouchForeignFiles) {
  folder_.write("q.jsonl", kQuestions);
  ASSERT_TRUE(run("one").ok());
  const std::string before = folder_.read("a.jsonl");
  EXPECT_FALSE(run("other").ok());
  EXPECT_EQ(folder_.read("a.jsonl"), before);
  folder_.write("a.jsonl", "my notes\nmore of them\n");
  EXPECT_FALSE(run().ok());
  EXPECT_EQ(folder_.read("a.jsonl"), "my notes\nmore of them\n");
  Progress progress;
  EXPECT_FALSE(run_batch({.file = folder_ / "q.jsonl", .output = folder_ / "q.jsonl"}, nullptr, progress).ok());
}

TEST_F(Batch, AnswersThroughAChatAndNamesWhatCannotBeAnswered) {
  auto chat = Chat::open({.folder = exported("hf-unfused"), .open_graph = cpu_graphs(), .max_new_tokens = 3, .keep_vision_open = true});
  ASSERT_TRUE(chat.ok()) << chat.error().message;
  auto good = answer_item(**chat, {.image = "x", .image_file = kPhoto, .prompt = "What is this?"});
  ASSERT_TRUE(good.ok()) << good.error().message;
  EXPECT_EQ(good->answer.ids.size(), 3U);
  auto bad = answer_item(**chat, {.image = "x", .image_file = "/no/such/picture.png", .prompt = "What is this?"});
  ASSERT_TRUE(bad.ok());
  EXPECT_NE(bad->error.find("/no/such/picture.png"), std::string::npos);
  auto long_one = answer_item(**chat, {.image = "x", .image_file = kPhoto, .prompt = std::string(500, '!')});
  ASSERT_TRUE(long_one.ok());
  EXPECT_NE(long_one->error.find("the context has 128"), std::string::npos) << long_one->error;
  EXPECT_EQ(answer_item(**chat, {.image = "x", .image_file = kPhoto, .prompt = "What is this?"})->answer.ids, good->answer.ids);
}

}  // namespace
}  // namespace fastvlm
