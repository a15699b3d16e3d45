#include "fastvlm/chat/chat.h"

#include <algorithm>

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/base/interrupt.h"
#include "fastvlm/chat/chat_for_tests.h"

namespace fastvlm {
namespace {

constexpr const char* kGolden = "hf-unfused";
using Ids = std::vector<std::int32_t>;

ChatOptions options(std::int64_t max_new_tokens = 6) {
  return {.folder = exported(kGolden), .open_graph = cpu_graphs(), .max_new_tokens = max_new_tokens};
}

std::unique_ptr<Chat> open_chat(ChatOptions chosen, const Path& image = kPhoto) {
  auto chat = Chat::open(std::move(chosen));
  EXPECT_TRUE(chat.ok()) << (chat.ok() ? "" : chat.error().message);
  const Status started = (*chat)->start(image);
  EXPECT_TRUE(started.ok()) << (started.ok() ? "" : started.error().message);
  return *std::move(chat);
}

Answer ask(Chat& chat, std::string_view question) {
  auto answer = chat.ask(question, nullptr);
  EXPECT_TRUE(answer.ok()) << (answer.ok() ? "" : answer.error().message);
  return answer.ok() ? *answer : Answer();
}

// A copy of the export whose manifest names another stop token.
Path with_stop_token(const FolderForTests& folder, std::int32_t id) {
  std::filesystem::copy(exported(kGolden), folder.path(), std::filesystem::copy_options::recursive);
  Json manifest = Json::parse(folder.read("manifest.json"));
  manifest["prompt"]["stop_token_id"] = id;
  folder.write("manifest.json", manifest.dump());
  return folder.path();
}

TEST(Chat, StreamsExactlyTheTextOfTheAnswer) {
  auto chat = open_chat(options(12));
  std::string streamed;
  auto answer = chat->ask("What is this?", [&](std::string_view text) { streamed += text; });
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->ids.size(), 12U);
  EXPECT_EQ(answer->finish, Finish::kMaxNewTokens);
  EXPECT_EQ(streamed, answer->text);
  EXPECT_EQ(answer->text, Tokenizer::load(exported(kGolden))->decode(answer->ids, {.skip_special = true}));
  EXPECT_GT(answer->timings.first_token_seconds, answer->timings.vision_seconds);
}

TEST(Chat, AnswersTheSecondTurnAsIfTheWholeConversationWereReadAnew) {
  auto chat = open_chat(options());
  const Answer first = ask(*chat, "What is this?"), second = ask(*chat, "And what else?");
  ASSERT_EQ(chat->turns().size(), 4U);

  // The same ids in one go, through another cut into chunks.
  OutputFolder output = *open_output_folder(exported(kGolden));
  PromptCache cache = *PromptCache::create(*open_decoder_session(output, cpu_graphs()), *EmbeddingTable::open(output));
  const Tokenizer tokenizer = *Tokenizer::load(exported(kGolden));
  const ChatPrompt prompt = *ChatPrompt::create(tokenizer);
  const ChatTurn turns[] = {{.text = "What is this?", .image = true}, {.text = "And what else?"}};
  std::vector<Segment> segments = segments_of(prompt.conversation({turns, 1}), "photo", 16);
  Ids& tail = segments.back().ids;
  const Ids next = prompt.next_turn(turns[1]).pieces[0];
  tail.insert(tail.end(), first.ids.begin(), first.ids.end());
  tail.insert(tail.end(), next.begin(), next.end());
  segments.back().rows = static_cast<std::int64_t>(tail.size());
  EXPECT_EQ(second.prompt_tokens, row_count(segments));
  ImageEncoder encoder({.graph = output.path / output.vision(256)->file,
                        .preprocess = {.settings = output.manifest.preprocessing.settings.at_size(256)},
                        .hidden_size = output.text().hidden_size,
                        .open = cpu_graphs()});
  const std::vector<float> picture = *encoder.encode(*encoder.load(kPhoto));
  std::vector<float> logits = *cache.append(segments, [&] { return Result<std::span<const float>>(picture); });
  std::vector<bool> allowed(static_cast<std::size_t>(tokenizer.size()), true);
  Sampler sampler({}, allowed);
  Ids expected;
  for (std::size_t i = 0; i < second.ids.size(); ++i) {
    expected.push_back(*sampler.sample(logits));
    logits = *cache.step(expected.back());
  }
  EXPECT_EQ(second.ids, expected);
}

TEST(Chat, ComputesThePrefixAndAKnownPictureOnce) {
  auto chat = open_chat(options());
  EXPECT_EQ(ask(*chat, "What is this?").reused_tokens, 0);
  ASSERT_TRUE(chat->start(kPhoto).ok());
  const Answer again = ask(*chat, "Who is that?");
  const std::int64_t prefix = 17;
  EXPECT_EQ(again.reused_tokens, prefix + chat->image_tokens());
  EXPECT_EQ(again.timings.vision_seconds, 0);
  ASSERT_TRUE(chat->start(kOtherPhoto).ok());
  const Answer other = ask(*chat, "Who is that?");
  EXPECT_EQ(other.reused_tokens, prefix);
  EXPECT_EQ(again.ids, ask(*open_chat(options()), "Who is that?").ids);
  EXPECT_EQ(other.ids, ask(*open_chat(options(), kOtherPhoto), "Who is that?").ids);
}

TEST(Chat, StopsAtTheStopTokenWithoutShowingIt) {
  const Answer whole = ask(*open_chat(options()), "What is this?");
  ASSERT_EQ(whole.ids.size(), 6U);
  const auto at = std::find(whole.ids.begin(), whole.ids.end(), whole.ids[3]);  // its first place, should it stand twice
  FolderForTests folder;
  ChatOptions chosen = options();
  chosen.folder = with_stop_token(folder, *at);
  auto chat = open_chat(std::move(chosen));
  const Answer answer = ask(*chat, "What is this?");
  EXPECT_EQ(answer.finish, Finish::kStopToken);
  EXPECT_EQ(answer.ids, Ids(whole.ids.begin(), at));
  EXPECT_EQ(ask(*chat, "And what else?").reused_tokens, answer.prompt_tokens + static_cast<std::int64_t>(answer.ids.size()));
}

TEST(Chat, RefusesAPromptThatIsTooLongBeforeAnyGraphIsOpened) {
  int opened = 0;
  ChatOptions chosen = options();
  chosen.open_graph = [&](const Path&) -> Result<std::unique_ptr<Runner>> { return ++opened, bad_environment("not to be opened"); };
  auto chat = open_chat(std::move(chosen));
  auto answer = chat->ask(std::string(300, '?'), nullptr);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().kind, ErrorKind::kUsage);
  EXPECT_NE(answer.error().message.find("16 of the picture"), std::string::npos) << answer.error().message;
  EXPECT_NE(answer.error().message.find("context has 128"), std::string::npos) << answer.error().message;
  EXPECT_EQ(opened, 0);
  EXPECT_TRUE(chat->turns().empty());
}

TEST(Chat, EndsTheAnswerWhereTheContextIsFullAndRefusesTheNextTurn) {
  auto chat = open_chat(options(1000));
  const Answer answer = ask(*chat, "What is this?");
  if (answer.finish == Finish::kStopToken) FAIL() << "this model is expected to go on; choose another question";
  EXPECT_EQ(answer.finish, Finish::kContextFull);
  EXPECT_EQ(answer.prompt_tokens + static_cast<std::int64_t>(answer.ids.size()), chat->context() + 1);
  EXPECT_FALSE(chat->ask("And what else?", nullptr).ok());
  chat->restart();
  EXPECT_EQ(ask(*chat, "What is this?").ids, answer.ids);
}

TEST(Chat, GoesOnAfterAnAnswerThatWasInterrupted) {
  auto chat = open_chat(options());
  int pieces = 0;
  std::stop_source stop;
  const auto answer = [&] {
    const StopScope scope(stop.get_token());
    return chat->ask("What is this?", [&](std::string_view) {
      if (++pieces == 2) stop.request_stop();
    });
  }();
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->finish, Finish::kInterrupted);
  EXPECT_LT(answer->ids.size(), 6U);
  const Answer next = ask(*chat, "And what else?");
  EXPECT_EQ(next.reused_tokens, answer->prompt_tokens + static_cast<std::int64_t>(answer->ids.size()) - 1);
  EXPECT_EQ(chat->turns().size(), 4U);
}

TEST(Chat, TakesAQuestionBackThatWasInterruptedBeforeItsAnswer) {
  auto chat = open_chat(options());
  const Answer first = ask(*chat, "What is this?");
  std::stop_source stop;
  stop.request_stop();
  const auto stopped = [&] {
    const StopScope scope(stop.get_token());
    return chat->ask("And what else?", nullptr);
  }();
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().kind, ErrorKind::kInterrupted);
  EXPECT_EQ(chat->turns().size(), 2U);
  const Answer second = ask(*chat, "And what else?");
  auto fresh = open_chat(options());
  ask(*fresh, "What is this?");
  EXPECT_EQ(second.ids, ask(*fresh, "And what else?").ids);
}

TEST(Chat, NeverSamplesIdsWithoutAToken) {
  const Tokenizer tokenizer = *Tokenizer::load(exported(kGolden));
  ASSERT_LT(tokenizer.size(), 512);  // the rows of the table
  ChatOptions chosen = options(60);
  chosen.sampling = {.temperature = 50, .seed = 1};
  auto chat = open_chat(std::move(chosen));
  const Answer answer = ask(*chat, "What is this?");
  EXPECT_TRUE(std::ranges::all_of(answer.ids, [&](std::int32_t id) { return tokenizer.is_token(id); }));
  chat->restart();
  EXPECT_EQ(ask(*chat, "What is this?").ids, answer.ids) << "a conversation begins at the seed";
}

TEST(Chat, KeepsTheConversationWhenAPictureCannotBeRead) {
  auto chat = open_chat(options());
  ask(*chat, "What is this?");
  EXPECT_FALSE(chat->start(kGoldenFolder / "README.md").ok());
  EXPECT_EQ(chat->turns().size(), 2U);
  EXPECT_EQ(chat->image(), kPhoto);
}

TEST(Chat, APictureThatWasPreparedGivesTheSameAnswer) {
  ChatOptions many = options();
  many.keep_vision_open = true;
  auto plain = open_chat(many, kOtherPhoto), prepared = open_chat(many);
  const Answer expected = ask(*plain, "What is this?");
  prepared->prepare(kOtherPhoto);
  ask(*prepared, "What is this?");
  ASSERT_TRUE(prepared->start(kOtherPhoto).ok());
  const Answer answer = ask(*prepared, "What is this?");
  EXPECT_EQ(answer.ids, expected.ids);
  EXPECT_EQ(answer.timings.vision_seconds, 0) << "it was encoded before";

  // Another one than was prepared, one that cannot be read, and an end while one is being prepared.
  prepared->prepare("/no/such/picture.png");
  ask(*prepared, "And now?");
  ASSERT_TRUE(prepared->start(kPhoto).ok());
  prepared->prepare("/no/such/picture.png");
  ask(*prepared, "What is this?");
  EXPECT_FALSE(prepared->start("/no/such/picture.png").ok());
  EXPECT_EQ(prepared->image(), kPhoto);
  prepared->prepare(kOtherPhoto);
  ask(*prepared, "And now?");
}

TEST(Chat, AnswersWithoutAPicture) {
  auto chat = open_chat(options(), "");
  EXPECT_EQ(ask(*chat, "Hello").ids.size(), 6U);
}

TEST(Chat, SaysWhatAFolderLacks) {
  FolderForTests folder;
  std::filesystem::copy(exported(kGolden), folder.path(), std::filesystem::copy_options::recursive);
  Json manifest = Json::parse(folder.read("manifest.json"));
  Json graphs = Json::array();
  for (const Json& row : manifest["graphs"])
    if (!row.contains("group")) graphs.push_back(row);
  manifest["graphs"] = graphs;
  folder.write("manifest.json", manifest.dump());
  ChatOptions chosen = options();
  chosen.folder = folder.path();
  chosen.graphs = ChatGraphs::kStatic;
  auto chat = Chat::open(chosen);
  ASSERT_FALSE(chat.ok());
  EXPECT_NE(chat.error().message.find("`targets`"), std::string::npos) << chat.error().message;
  manifest["graphs"] = Json::array();
  folder.write("manifest.json", manifest.dump());
  chosen.graphs = ChatGraphs::kStaticFirst;
  chat = Chat::open(chosen);
  ASSERT_FALSE(chat.ok());
  EXPECT_NE(chat.error().message.find("no graphs to talk through"), std::string::npos) << chat.error().message;
  chosen = options();
  chosen.image_size = 512;
  chat = Chat::open(chosen);
  ASSERT_FALSE(chat.ok());
  EXPECT_EQ(chat.error().kind, ErrorKind::kUsage);
}

}  // namespace
}  // namespace fastvlm
