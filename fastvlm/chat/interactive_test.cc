#include "fastvlm/chat/interactive.h"

#include <gtest/gtest.h>

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/base/interrupt.h"
#include "fastvlm/chat/chat_for_tests.h"

namespace fastvlm {
namespace {

struct CommandCase {
  const char* line;
  CommandKind kind;
  const char* argument;
};

TEST(Interactive, TellsCommandsFromQuestions) {
  const CommandCase cases[] = {
      {"What is this?", CommandKind::kQuestion, "What is this?"},
      {"  spaces \r", CommandKind::kQuestion, "spaces"},
      {"", CommandKind::kNothing, ""},
      {" \t", CommandKind::kNothing, ""},
      {"/image  my cat.png ", CommandKind::kImage, "my cat.png"},
      {"/reset", CommandKind::kReset, ""},
      {"/save out.json", CommandKind::kSave, "out.json"},
      {"/help", CommandKind::kHelp, ""},
      {"/quit", CommandKind::kQuit, ""},
      {"//usr or /opt?", CommandKind::kQuestion, "/usr or /opt?"},
  };
  for (const CommandCase& row : cases) {
    const Command command = parse_command(row.line);
    EXPECT_EQ(command.kind, row.kind) << row.line;
    EXPECT_EQ(command.argument, row.argument) << row.line;
  }
  for (const char* line : {"/image", "/reset now", "/save", "/foo", "/"}) EXPECT_EQ(parse_command(line).kind, CommandKind::kWrong) << line;
  EXPECT_EQ(parse_command(std::string(2 << 20, 'x')).kind, CommandKind::kWrong);
}

class Talk : public testing::Test {
 protected:
  Status talk(std::vector<std::string> lines) {
    std::size_t next = 0;
    return run_interactive(*chat_, {.read_line = [&]() -> std::optional<std::string> {
                                      return next < lines.size() ? std::optional(lines[next++]) : std::nullopt;
                                    },
                                    .write_answer =
                                        [&](std::string_view text) {
                                          answers_ += text;
                                          if (std::exchange(interrupt_, false)) stop_.request_stop();
                                        },
                                    .write_note = [&](std::string_view text) { notes_ += text; },
                                    .next_stop =
                                        [&] {
                                          stop_ = stopped_before_ ? stop_ : std::stop_source();
                                          return stop_.get_token();
                                        }});
  }
  void SetUp() override { ASSERT_TRUE(chat_->start(kPhoto).ok()); }

  FolderForTests folder_;
  std::unique_ptr<Chat> chat_ = *Chat::open({.folder = exported("hf-unfused"), .open_graph = cpu_graphs(), .max_new_tokens = 4});
  std::string answers_, notes_;
  bool interrupt_ = false, stopped_before_ = false;
  std::stop_source stop_;
};

TEST_F(Talk, SavesTheConversation) {
  const std::string file = (folder_ / "talk.json").string();
  ASSERT_TRUE(talk({"What is this?", "And that?", "/save " + file}).ok());
  const Json saved = Json::parse(folder_.read("talk.json"));
  EXPECT_EQ(saved["image"], kPhoto.string());
  ASSERT_EQ(saved["turns"].size(), 4U);
  EXPECT_EQ(saved["turns"][2]["role"], "user");
  EXPECT_EQ(saved["turns"][2]["text"], "And that?");
  EXPECT_EQ(answers_, saved["turns"][1]["text"].get<std::string>() + "\n" + saved["turns"][3]["text"].get<std::string>() + "\n");
}

TEST_F(Talk, GivesTheSameAnswerAfterAReset) {
  ASSERT_TRUE(talk({"What is this?"}).ok());
  const std::string first = std::exchange(answers_, "");
  ASSERT_TRUE(talk({"/reset", "What is this?", "/quit", "not read"}).ok());
  EXPECT_EQ(answers_, first);
}

TEST_F(Talk, ChangesThePicture) {
  ASSERT_TRUE(talk({"What is this?", "/image " + kOtherPhoto.string()}).ok());
  EXPECT_TRUE(chat_->turns().empty());
  EXPECT_EQ(chat_->image(), kOtherPhoto);
}

TEST_F(Talk, TellsWhatIsWrongAndGoesOn) {
  ASSERT_TRUE(talk({"/image /no/such.png", "/nonsense", std::string(600, '!'), "/save /no/such/folder/x", "What is this?"}).ok());
  EXPECT_NE(notes_.find("/no/such.png"), std::string::npos) << notes_;
  EXPECT_NE(notes_.find("/nonsense"), std::string::npos);
  EXPECT_NE(notes_.find("context has 128"), std::string::npos);
  EXPECT_EQ(chat_->turns().size(), 2U);
}

TEST_F(Talk, ReturnsToThePromptWhenAnAnswerIsInterrupted) {
  interrupt_ = true;
  ASSERT_TRUE(talk({"What is this?", "And that?"}).ok());
  EXPECT_NE(notes_.find("(stopped)"), std::string::npos) << notes_;
  EXPECT_EQ(chat_->turns().size(), 4U);
}

TEST_F(Talk, EndsWhenInterruptedAtThePrompt) {
  stopped_before_ = stop_.request_stop();
  const Status ended = talk({});
  ASSERT_FALSE(ended.ok());
  EXPECT_EQ(ended.error().kind, ErrorKind::kInterrupted);
}

}  // namespace
}  // namespace fastvlm
