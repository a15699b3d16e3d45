// A trained checkpoint: whether decoders with weights in integers still answer rightly, and how far their choices move.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "fastvlm/base/json.h"
#include "fastvlm/chat/chat.h"
#include "fastvlm/export/golden_export_for_tests.h"
#include "fastvlm/quant/recipe.h"

namespace fastvlm {
namespace {

constexpr std::size_t kOfEachKind = 8;  // of 40

const Path kTrained = Path(FASTVLM_TEST_DATA) / "trained";

struct Question {
  Path image;
  std::string prompt, answer;
};

// The first ones of each kind; the id begins with it.
std::vector<Question> questions() {
  std::vector<Question> chosen;
  std::map<std::string, std::size_t> taken;
  std::istringstream lines(text_of(kTrained / "eval/eval.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    const Json row = Json::parse(line);
    const std::string id = row["id"];
    if (++taken[id.substr(0, id.find('-'))] > kOfEachKind) continue;
    chosen.push_back({kTrained / "eval" / row["image"].get<std::string>(), row["prompt"], row["answer"]});
  }
  return chosen;
}

// Logarithms of the probabilities of the next token.
std::vector<double> log_softmax(const std::vector<float>& logits) {
  const double largest = *std::ranges::max_element(logits);
  double sum = 0;
  for (float logit : logits) sum += std::exp(logit - largest);
  std::vector<double> result;
  for (float logit : logits) result.push_back(logit - largest - std::log(sum));
  return result;
}

double divergence(const std::vector<float>& from, const std::vector<float>& to) {
  const std::vector<double> p = log_softmax(from), q = log_softmax(to);
  double sum = 0;
  for (std::size_t i = 0; i < p.size(); ++i) sum += std::exp(p[i]) * (p[i] - q[i]);
  return sum;
}

class Trained : public testing::Test {
 protected:
  void SetUp() override {
    ExportOptions options{.model_dir = kTrained / "checkpoint", .output_dir = output(), .image_size = 256, .threads = 2};
    options.npu = NpuOptions{.targets = {"sm8750"}, .image_sizes = {256}, .prefill = {32}, .context = 128};
    options.npu->recipes = {known_recipes().begin(), known_recipes().end()};
    export_or_fail(options);
  }
  Path output() const { return folder_ / "out"; }
  std::unique_ptr<Chat> chat(const std::string& recipe) const {
    return Chat::open({.folder = output(), .open_graph = cpu_for_tests(), .recipe = recipe, .max_new_tokens = 8, .keep_vision_open = true})
        .value();
  }
  FolderForTests folder_;
};

TEST_F(Trained, AnswersAsWellWithWeightsOfEightBitsAndAlmostWithFour) {
  std::map<std::string, int> right;
  for (const char* recipe : {"fp16", "w8", "w4"}) {
    auto model = chat(recipe);
    for (const Question& question : questions()) {
      ASSERT_TRUE(model->start(question.image).ok());
      auto answer = model->ask(question.prompt, nullptr);
      ASSERT_TRUE(answer.ok()) << answer.error().message;
      right[recipe] += answer->text == question.answer && answer->finish == Finish::kStopToken;
    }
  }
  const int all = static_cast<int>(questions().size());
  EXPECT_EQ(all, 40);
  EXPECT_GE(right["fp16"], all * 95 / 100) << "the reference has all but one of two hundred";
  // Half a point and three points of a hundred, in whole answers of forty.
  EXPECT_GE(right["w8"], right["fp16"]);
  EXPECT_GE(right["w4"], right["fp16"] - 1);
}

// Logits at each token of the float answer, the one that ends it included.
class Forced {
 public:
  Forced(const Path& output, const std::string& recipe) : folder_(with_recipe(open_output_folder(output).value(), recipe).value()) {
    tokenizer_ = std::make_unique<Tokenizer>(Tokenizer::load(output).value());
    prompt_.emplace(ChatPrompt::create(*tokenizer_).value());
    const std::int64_t size = folder_.image_size();
    encoder_.emplace(ImageEncoderOptions{.graph = output / folder_.vision(size)->file,
                                         .preprocess = {.settings = folder_.manifest.preprocessing.settings},
                                         .hidden_size = folder_.text().hidden_size,
                                         .open = cpu_for_tests(),
                                         .keep_open = true});
    cache_.emplace(
        PromptCache::create(open_decoder_session(folder_, cpu_for_tests()).value(), EmbeddingTable::open(folder_).value()).value());
  }

  std::vector<std::vector<float>> run(const Question& question, const std::vector<std::int32_t>& answer) {
    const Picture picture = encoder_->load(question.image).value();
    const std::vector<float> vectors = encoder_->encode(picture).value();
    const ChatTurn turn{.text = question.prompt, .image = true};
    cache_->keep(0);
    std::vector<std::vector<float>> logits;
    logits.push_back(cache_
                         ->append(segments_of(prompt_->conversation({&turn, 1}), picture.hash, encoder_->tokens()),
                                  [&]() -> Result<std::span<const float>> { return std::span<const float>(vectors); })
                         .value());
    for (std::int32_t id : answer) logits.push_back(cache_->step(id).value());
    return logits;
  }

 private:
  OutputFolder folder_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::optional<ChatPrompt> prompt_;
  std::optional<ImageEncoder> encoder_;
  std::optional<PromptCache> cache_;
};

TEST_F(Trained, MeanDivergenceFromTheFloatDecoderAlongItsAnswersIsSmall) {
  struct Case {
    const char* recipe;
    double most;
  };
  auto model = chat("fp16");
  std::vector<std::vector<std::int32_t>> answers;
  for (const Question& question : questions()) {
    ASSERT_TRUE(model->start(question.image).ok());
    answers.push_back(model->ask(question.prompt, nullptr).value().ids);
  }
  Forced reference(output(), "fp16");
  for (const Case& c : {Case{"w8", 0.003}, Case{"w4", 0.05}}) {
    Forced candidate(output(), c.recipe);
    double sum = 0;
    int tokens = 0;
    const std::vector<Question> asked = questions();
    for (std::size_t i = 0; i < asked.size(); ++i) {
      const auto expected = reference.run(asked[i], answers[i]), actual = candidate.run(asked[i], answers[i]);
      for (std::size_t t = 0; t < expected.size(); ++t, ++tokens) sum += divergence(expected[t], actual[t]);
    }
    EXPECT_GE(tokens, 80) << "an answer has a token and its end";
    EXPECT_LE(sum / tokens, c.most) << c.recipe;
    EXPECT_GT(sum / tokens, 0) << c.recipe << " is no other decoder";
    RecordProperty(std::string("divergence_") + c.recipe, fmt::format("{:.2e}", sum / tokens));
    fmt::print("mean KL of {} over {} tokens: {:.2e}\n", c.recipe, tokens, sum / tokens);
  }
}

}  // namespace
}  // namespace fastvlm
