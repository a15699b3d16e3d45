// The chat prompt of the golden files: ids, cache, logits and greedy steps of the reference implementation.
#include <algorithm>

#include "fastvlm/chat/chat_for_tests.h"
#include "fastvlm/checkpoint/safetensors.h"
#include "fastvlm/session/plain_graphs.h"
#include "fastvlm/tensor/compare.h"

namespace fastvlm {
namespace {

constexpr double kTolerance = 1e-4;

struct Golden {
  std::map<std::string, Tensor> tensors;
  explicit Golden(const std::string& name) {
    std::vector<NamedTensor> read = *read_safetensors(kGoldenFolder / name / "expected.safetensors");
    for (NamedTensor& tensor : read) tensors[tensor.name] = std::move(tensor.tensor);
  }
  std::vector<std::int32_t> ids(const std::string& name) const {
    const auto wide = tensors.at(name).int64s();
    return {wide.begin(), wide.end()};
  }
};

// The question between the line feed behind the picture and the <|im_end|> of its turn.
std::string question_of(const Tokenizer& tokenizer, const std::vector<std::int32_t>& ids, std::size_t image_end) {
  const auto begin = ids.begin() + static_cast<std::ptrdiff_t>(image_end) + 1;
  const auto end = std::find(begin, ids.end(), *tokenizer.token_id("<|im_end|>"));
  return tokenizer.decode(std::vector<std::int32_t>(begin, end));
}

PromptCache open_cache(const Path& folder) {
  OutputFolder output = *open_output_folder(folder);
  const bool plain = output.manifest.find(GraphRole::kDecoder) == nullptr;
  auto session = plain ? open_plain_decoder(output, cpu_graphs()) : open_decoder_session(output, cpu_graphs());
  EXPECT_TRUE(session.ok()) << (session.ok() ? "" : session.error().message);
  return *PromptCache::create(*std::move(session), *EmbeddingTable::open(output));
}

void expect_near(std::span<const float> actual, std::span<const float> expected, const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  EXPECT_LE(compare(actual, expected).max_relative, kTolerance) << what;
}

void check_golden(const std::string& name, const Path& folder) {
  SCOPED_TRACE(name);
  const Golden golden(name);
  const Tokenizer tokenizer = *Tokenizer::load(folder);
  const ChatPrompt chat = *ChatPrompt::create(tokenizer);
  const Tensor& features = golden.tensors.at("s256.b1.image_features");
  const std::int64_t rows = features.shape[1], start = golden.tensors.at("chat.image_start").int64s()[0];
  const std::vector<std::int32_t> ids = golden.ids("chat.input_ids");

  const ChatTurn turn{.text = question_of(tokenizer, ids, static_cast<std::size_t>(start + rows)), .image = true};
  const std::vector<Segment> segments = segments_of(chat.conversation({&turn, 1}), "golden", rows);
  ASSERT_EQ(segments.size(), 3U);
  EXPECT_TRUE(std::equal(segments[0].ids.begin(), segments[0].ids.end(), ids.begin(), ids.begin() + start));
  EXPECT_TRUE(std::equal(segments[2].ids.begin(), segments[2].ids.end(), ids.begin() + start + rows, ids.end()));

  PromptCache cache = open_cache(folder);
  auto logits = cache.append(segments, [&] { return Result<std::span<const float>>(features.floats()); });
  ASSERT_TRUE(logits.ok()) << logits.error().message;
  const Tensor& all = golden.tensors.at("chat.logits");
  const auto vocabulary = static_cast<std::size_t>(all.shape[2]);
  expect_near(*logits, all.floats().last(vocabulary), "logits of the prompt");
  for (std::int64_t layer = 0; layer < cache.session().num_layers(); ++layer) {
    expect_near(cache.session().keys(layer).floats(), golden.tensors.at(fmt::format("chat.key.{}", layer)).floats(), "keys");
    expect_near(cache.session().values(layer).floats(), golden.tensors.at(fmt::format("chat.value.{}", layer)).floats(), "values");
  }

  // The reference samples from all rows of the table; chat itself never takes those without a token.
  Sampler sampler({}, std::vector<bool>(vocabulary, true));
  const Tensor& steps = golden.tensors.at("chat.step_logits");
  std::vector<std::int32_t> greedy;
  for (std::size_t step = 0; step < golden.ids("chat.greedy_ids").size(); ++step) {
    greedy.push_back(*sampler.sample(*logits));
    logits = cache.step(greedy.back());
    ASSERT_TRUE(logits.ok());
    expect_near(*logits, steps.floats().subspan(step * vocabulary, vocabulary), fmt::format("logits behind greedy id {}", step));
  }
  EXPECT_EQ(greedy, golden.ids("chat.greedy_ids"));
}

TEST(GoldenChat, GivesTheLogitsCacheAndGreedyIdsOfTheReference) {
  for (const std::string& name : kGoldenNames) check_golden(name, exported(name));
}

TEST(GoldenChat, ThePlainGraphsWithACacheGiveThemToo) {
  for (const std::string& name : kGoldenNames) check_golden(name, exported_plain(name));
}

TEST(GoldenChat, GivesTheSameWithPrefillGraphsThatHaveNoLogits) {
  check_golden("hf-untied-sharded", exported("hf-untied-sharded", {"--prefill", "8", "--context", "96", "--prefill-logits", "none"}));
}

TEST(GoldenChat, GivesTheSameWhenTheDecoderIsCutIntoParts) {
  check_golden("hf-untied-sharded", exported("hf-untied-sharded", {"--prefill", "32", "--context", "64", "--part-limit", "0.0002"}));
}

}  // namespace
}  // namespace fastvlm
