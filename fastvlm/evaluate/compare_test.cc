#include "fastvlm/evaluate/compare.h"

#include <gtest/gtest.h>

#include <cmath>

#include "fastvlm/chat/chat_for_tests.h"
#include "fastvlm/session/run_graph.h"

namespace fastvlm {
namespace {

std::unique_ptr<Chat> open(const std::string& recipe) {
  const Path& folder = exported("hf-unfused", {"--prefill", "16,32", "--context", "128", "--recipe", "fp16,w4"});
  auto chat = Chat::open({.folder = folder, .open_graph = cpu_graphs(), .recipe = recipe, .max_new_tokens = 6, .keep_vision_open = true});
  EXPECT_TRUE(chat.ok()) << chat.error().message;
  return std::move(chat).value();
}

const Question kAsked = {.number = 1, .image = "p.jpg", .image_file = kPhoto, .prompt = "What is this?", .answers = {"a cat"}};

TEST(Compare, TheDivergenceIsTheOneWorkedOutByHand) {
  // Probabilities 1/2, 1/2 and 1/4, 3/4: ln 2 / 2 + ln(2/3) / 2 = 0.143841.
  EXPECT_NEAR(kl_divergence(std::vector<float>{0, 0}, std::vector<float>{0, std::log(3.0F)}), 0.5 * std::log(4.0 / 3.0), 1e-7);
  // The other way round: 1/4 ln(1/2) + 3/4 ln(3/2).
  EXPECT_NEAR(kl_divergence(std::vector<float>{0, std::log(3.0F)}, std::vector<float>{0, 0}), 0.25 * std::log(0.5) + 0.75 * std::log(1.5),
              1e-7);
  // Logits that only the difference to the largest can be taken of.
  EXPECT_NEAR(kl_divergence(std::vector<float>{1000, 1000}, std::vector<float>{-1000, -1000}), 0, 1e-12);
  EXPECT_EQ(kl_divergence(std::vector<float>{1, 2, 3}, std::vector<float>{1, 2, 3}), 0);
}

TEST(Compare, LedAlongItsOwnAnswerAModelFindsEachTokenMostLikely) {
  const auto chat = open("fp16");
  ASSERT_TRUE(chat->start(kPhoto).ok());
  const Answer answer = chat->ask("What is this?", nullptr).value();
  ASSERT_FALSE(answer.ids.empty());
  chat->restart();
  std::vector<float> logits = chat->begin_forced("What is this?").value();
  for (const std::int32_t id : answer.ids) {
    EXPECT_EQ(index_of_largest(std::span(logits).first(static_cast<std::size_t>(chat->tokenizer().size()))), id);
    logits = chat->force(id).value();
  }
  // And it answers as before.
  ASSERT_TRUE(chat->start(kPhoto).ok());
  EXPECT_EQ(chat->ask("What is this?", nullptr)->ids, answer.ids);
}

TEST(Compare, AModelIsNotDifferentFromItself) {
  const auto one = open("fp16"), two = open("fp16");
  ASSERT_TRUE(check_comparable(*one, *two).ok());
  const auto answered = compare_question({*one, *two}, kAsked, nullptr, Forced::kGreedy);
  ASSERT_TRUE(answered.ok()) << answered.error().message;
  ASSERT_TRUE(answered->comparison.has_value());
  EXPECT_EQ(answered->comparison->reply, answered->reply);
  EXPECT_EQ(answered->comparison->tokens, answered->reply.ids);
  const bool ends = answered->reply.finish == "stop";
  ASSERT_EQ(answered->comparison->kl.size(), answered->reply.ids.size() + (ends ? 1 : 0));
  for (const double kl : answered->comparison->kl) EXPECT_EQ(kl, 0);
  for (const std::int64_t agrees : answered->comparison->agrees) EXPECT_EQ(agrees, 1);
}

TEST(Compare, WeightsOfFourBitsAreAnotherModel) {
  const auto one = open("fp16"), two = open("w4");
  ASSERT_TRUE(check_comparable(*one, *two).ok());
  const auto answered = compare_question({*one, *two}, kAsked, nullptr, Forced::kGiven);
  ASSERT_TRUE(answered.ok()) << answered.error().message;
  const Comparison& comparison = *answered->comparison;
  EXPECT_EQ(comparison.tokens, one->tokenizer().encode("a cat"));
  ASSERT_EQ(comparison.kl.size(), comparison.tokens.size() + 1);
  for (const double kl : comparison.kl) EXPECT_GT(kl, 0);
}

TEST(Compare, AQuestionThatCannotBeAnsweredIsNotCompared) {
  const auto one = open("fp16"), two = open("w4");
  Question question = kAsked;
  question.image_file = "/no/such/folder/p.jpg";
  const auto answered = compare_question({*one, *two}, question, nullptr, Forced::kGreedy);
  ASSERT_TRUE(answered.ok());
  EXPECT_FALSE(answered->comparison.has_value());
  EXPECT_NE(answered->error.find("p.jpg"), std::string::npos);
  EXPECT_EQ(answered->error.find("/no/such"), std::string::npos) << "folders are others on other machines: " << answered->error;
}

}  // namespace
}  // namespace fastvlm
