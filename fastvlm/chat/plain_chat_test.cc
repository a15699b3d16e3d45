// The plain graphs with a cache, against the static ones.
#include "fastvlm/chat/batch.h"
#include "fastvlm/chat/chat_for_tests.h"

namespace fastvlm {
namespace {

constexpr const char* kGolden = "hf-untied-sharded";

ChatOptions options(const Path& folder) {
  return {.folder = folder, .open_graph = cpu_graphs(), .max_new_tokens = 12, .keep_vision_open = true};
}

std::unique_ptr<Chat> open_chat(ChatOptions chosen) {
  auto chat = Chat::open(std::move(chosen));
  EXPECT_TRUE(chat.ok()) << (chat.ok() ? "" : chat.error().message);
  return chat.ok() ? *std::move(chat) : nullptr;
}

std::string refusal(ChatOptions chosen) {
  auto chat = Chat::open(std::move(chosen));
  return chat.ok() ? "" : chat.error().message;
}

// Two turns about a picture, then another picture.
std::vector<std::vector<std::int32_t>> answers(Chat& chat) {
  std::vector<std::vector<std::int32_t>> ids;
  const auto ask = [&](std::string_view question) {
    auto answer = chat.ask(question, nullptr);
    EXPECT_TRUE(answer.ok()) << (answer.ok() ? "" : answer.error().message);
    if (answer.ok()) ids.push_back(answer->ids);
  };
  for (const Path& image : {kPhoto, kOtherPhoto}) {
    EXPECT_TRUE(chat.start(image).ok());
    ask("What is this?");
    ask("And what else?");
  }
  return ids;
}

TEST(PlainChat, AnswersAsTheStaticGraphsDoForEveryPictureSize) {
  for (const std::string& golden : kGoldenNames)
    for (const std::int64_t size : {128, 256}) {
      SCOPED_TRACE(fmt::format("{} {}", golden, size));
      ChatOptions plain = options(exported_plain(golden)), fixed = options(exported(golden, {"--prefill", "16", "--context", "160"}));
      plain.image_size = fixed.image_size = size;
      auto chat = open_chat(std::move(plain)), reference = open_chat(std::move(fixed));
      ASSERT_TRUE(chat && reference);
      EXPECT_TRUE(chat->talks_through_plain());
      EXPECT_FALSE(reference->talks_through_plain());
      const auto ids = answers(*chat);
      ASSERT_EQ(ids.size(), 4U);
      EXPECT_EQ(ids, answers(*reference));
      EXPECT_EQ(ids, answers(*chat)) << "the same again, with the prefix in the cache";
    }
}

TEST(PlainChat, TakesPicturesThatNoStaticGraphWasMadeFor) {
  ChatOptions chosen = options(exported_plain(kGolden));
  chosen.image_size = 192;
  auto chat = open_chat(chosen);
  ASSERT_NE(chat, nullptr);
  EXPECT_EQ(chat->image_tokens(), 9);
  EXPECT_EQ(answers(*chat).size(), 4U);
}

TEST(PlainChat, OfAFolderWithBothTheOptionDecides) {
  ChatOptions chosen = options(exported(kGolden, {"--prefill", "16", "--context", "160"}));
  const auto run_name = [&] { return batch_run_name(chosen, "cpu").value(); };
  const std::string usual = run_name();
  chosen.graphs = ChatGraphs::kPlain;
  EXPECT_NE(run_name(), usual) << "answers of the one are not taken for the other's";
  auto plain = open_chat(chosen);
  ASSERT_NE(plain, nullptr);
  EXPECT_TRUE(plain->talks_through_plain());
  EXPECT_GT(plain->context(), 160);
  chosen.graphs = ChatGraphs::kStatic;
  auto fixed = open_chat(chosen);
  ASSERT_NE(fixed, nullptr);
  EXPECT_EQ(answers(*plain), answers(*fixed));
}

TEST(PlainChat, GraphsInHalfPrecisionAnswerToo) {
  auto chat = open_chat(options(exported_plain(kGolden, {"--dtype", "float16"})));
  ASSERT_NE(chat, nullptr);
  auto reference = open_chat(options(exported_plain(kGolden)));
  ASSERT_NE(reference, nullptr);
  const auto ids = answers(*chat), exact = answers(*reference);
  ASSERT_EQ(ids.size(), 4U);
  EXPECT_EQ(ids[0].front(), exact[0].front());
}

TEST(PlainChat, WhatThePlainGraphsCannotDoIsRefused) {
  ChatOptions chosen = options(exported_plain(kGolden));
  chosen.graphs = ChatGraphs::kStatic;
  EXPECT_NE(refusal(chosen).find("has no static graphs, which an NPU needs"), std::string::npos);
  chosen = options(exported_plain(kGolden));
  chosen.recipe = "w8";
  EXPECT_NE(refusal(chosen).find("the plain graphs of"), std::string::npos);
  chosen = options(exported_plain(kGolden));
  chosen.image_size = 100;
  EXPECT_NE(refusal(chosen).find("multiple of 64"), std::string::npos);
}

TEST(PlainChat, ALongQuestionGoesThroughInPieces) {
  auto chat = open_chat(options(exported_plain(kGolden)));
  ASSERT_NE(chat, nullptr);
  ASSERT_TRUE(chat->start({}).ok());
  std::string question;
  for (int i = 0; i < 600; ++i) question += " word";
  auto answer = chat->ask(question, nullptr);
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  EXPECT_GT(answer->prompt_tokens, 600);
  EXPECT_FALSE(answer->ids.empty());
}

}  // namespace
}  // namespace fastvlm
