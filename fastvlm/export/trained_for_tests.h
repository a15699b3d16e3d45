// The trained checkpoint: its questions, answers to them, and how far the choices of two decoders are apart.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "fastvlm/base/json.h"
#include "fastvlm/chat/chat.h"
#include "fastvlm/session/decoder_session.h"
#include "fastvlm/session/float_edges.h"
#include "fastvlm/session/image_encoder.h"
#include "fastvlm/session/prompt_cache.h"
#include "fastvlm/session/runners_for_tests.h"

namespace fastvlm {

inline const Path kTrained = Path(FASTVLM_TEST_DATA) / "trained";

struct Question {
  Path image;
  std::string prompt, answer;
};

// The first ones of each of the five kinds, of 40; the id begins with it.
inline std::vector<Question> questions(std::size_t of_each_kind) {
  std::vector<Question> chosen;
  std::map<std::string, std::size_t> taken;
  std::istringstream lines(text_of(kTrained / "eval/eval.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    const Json row = Json::parse(line);
    const std::string id = row["id"];
    if (++taken[id.substr(0, id.find('-'))] > of_each_kind) continue;
    chosen.push_back({kTrained / "eval" / row["image"].get<std::string>(), row["prompt"], row["answer"]});
  }
  return chosen;
}

// Logarithms of the probabilities of the next token.
inline std::vector<double> log_softmax(const std::vector<float>& logits) {
  const double largest = *std::ranges::max_element(logits);
  double sum = 0;
  for (float logit : logits) sum += std::exp(logit - largest);
  std::vector<double> result;
  for (float logit : logits) result.push_back(logit - largest - std::log(sum));
  return result;
}

inline double divergence(const std::vector<float>& from, const std::vector<float>& to) {
  const std::vector<double> p = log_softmax(from), q = log_softmax(to);
  double sum = 0;
  for (std::size_t i = 0; i < p.size(); ++i) sum += std::exp(p[i]) * (p[i] - q[i]);
  return sum;
}

// How many are answered with exactly the expected words.
inline int right_answers(Chat& model, const std::vector<Question>& asked) {
  int right = 0;
  for (const Question& question : asked) {
    EXPECT_TRUE(model.start(question.image).ok());
    auto answer = model.ask(question.prompt, nullptr);
    EXPECT_TRUE(answer.ok()) << answer.error().message;
    if (!answer.ok()) return 0;
    right += answer->text == question.answer && answer->finish == Finish::kStopToken;
  }
  return right;
}

// Logits at each token of the float answer, the one that ends it included.
class Forced {
 public:
  Forced(const Path& output, const std::string& recipe, const OpenGraph& open = cpu_for_tests())
      : folder_(with_recipe(open_output_folder(output).value(), recipe).value()) {
    tokenizer_ = std::make_unique<Tokenizer>(Tokenizer::load(output).value());
    prompt_.emplace(ChatPrompt::create(*tokenizer_).value());
    const std::int64_t size = folder_.image_size();
    encoder_.emplace(ImageEncoderOptions{.graph = output / folder_.vision(size)->file,
                                         .preprocess = {.settings = folder_.manifest.preprocessing.settings},
                                         .hidden_size = folder_.text().hidden_size,
                                         .open = with_float_edges(cpu_for_tests(), folder_.manifest),
                                         .keep_open = true});
    cache_.emplace(PromptCache::create(open_decoder_session(folder_, open).value(), EmbeddingTable::open(folder_).value()).value());
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

// The mean over the tokens of the reference's answers.
struct MeanDivergence {
  double mean = 0;
  int tokens = 0;
};
inline MeanDivergence mean_divergence(Forced& reference, Forced& candidate, const std::vector<Question>& asked,
                                      const std::vector<std::vector<std::int32_t>>& answers) {
  MeanDivergence result;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const auto expected = reference.run(asked[i], answers[i]), actual = candidate.run(asked[i], answers[i]);
    for (std::size_t t = 0; t < expected.size(); ++t, ++result.tokens) result.mean += divergence(expected[t], actual[t]);
  }
  result.mean /= result.tokens;
  return result;
}

}  // namespace fastvlm
