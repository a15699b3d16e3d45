#include "fastvlm/session/decoder_session.h"

#include <gtest/gtest.h>

#include <cmath>

#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

constexpr std::int64_t kContext = 16, kWidth = 2, kVocabulary = 3;

// A "decoder" whose logits can be told by hand: the sum over the visible tokens of their first embedding number, once from the
// cache (value), once from the new rows. The key is the negative of it, with the cosine of the position in the second place. For
// kAnyTokens it takes any rows behind any slots, and gives the last row's logits.
class SummingRunner final : public Runner {
 public:
  SummingRunner(std::int64_t tokens, bool logits, std::vector<std::int64_t>& runs) : a_(tokens), logits_(logits), runs_(runs) {
    const bool any = a_ == kAnyTokens;
    const std::int64_t a = any ? -1 : a_, past = any ? -1 : kContext - a_, all = any ? -1 : kContext;
    auto add = [](std::vector<TensorInfo>& list, const char* name, Shape shape) {
      list.push_back({name, Dtype::kFloat32, std::move(shape)});
    };
    add(inputs_, "inputs_embeds", {1, a, kWidth});
    add(inputs_, "attention_mask", {1, 1, a, all});
    add(inputs_, "position_ids_cos", {1, 1, a, 1});
    add(inputs_, "position_ids_sin", {1, 1, a, 1});
    add(inputs_, "past_key_0_in", {1, 1, 2, past});
    add(inputs_, "past_value_0_in", {1, 1, past, 2});
    if (logits_) add(outputs_, "logits", {1, any ? 1 : a, kVocabulary});
    add(outputs_, "past_key_0_out", {1, 1, 2, a});
    add(outputs_, "past_value_0_out", {1, 1, a, 2});
  }
  const std::vector<TensorInfo>& inputs() const override { return inputs_; }
  const std::vector<TensorInfo>& outputs() const override { return outputs_; }

  Result<std::vector<NamedTensor>> run(std::span<const NamedTensorView> given, std::span<const std::string> wanted) override {
    TRY(check_inputs(inputs_, given));
    std::map<std::string, const float*> in;
    std::map<std::string, Shape> shapes;
    for (const NamedTensorView& view : given) {
      in[view.name] = reinterpret_cast<const float*>(view.view.bytes.data());
      shapes[view.name] = view.view.shape;
    }
    const std::int64_t rows = shapes["inputs_embeds"][1], past = shapes["past_key_0_in"][3], all = past + rows;
    EXPECT_EQ(shapes["attention_mask"], (Shape{1, 1, rows, all}));
    EXPECT_EQ(shapes["past_value_0_in"], (Shape{1, 1, past, 2}));
    runs_.push_back(rows);
    Tensor logits = Tensor::zeros(Dtype::kFloat32, {1, rows, kVocabulary}), key = Tensor::zeros(Dtype::kFloat32, {1, 1, 2, rows}),
           value = Tensor::zeros(Dtype::kFloat32, {1, 1, rows, 2});
    for (std::int64_t row = 0; row < rows; ++row) {
      float seen = 0, from_keys = 0;
      for (std::int64_t slot = 0; slot < all; ++slot) {
        const float mask = in["attention_mask"][row * all + slot];
        if (mask != 0) {
          EXPECT_EQ(mask, kMaskHidden);
          continue;
        }
        seen += slot < past ? in["past_value_0_in"][slot * 2] : in["inputs_embeds"][(slot - past) * kWidth];
        from_keys += slot < past ? in["past_key_0_in"][slot] : -in["inputs_embeds"][(slot - past) * kWidth];
      }
      float* out = logits.floats().data() + row * kVocabulary;
      out[0] = seen, out[1] = from_keys, out[2] = in["position_ids_cos"][row];
      const auto r = static_cast<std::size_t>(row), a = static_cast<std::size_t>(rows);
      key.floats()[r] = -in["inputs_embeds"][row * kWidth];
      key.floats()[a + r] = in["position_ids_cos"][row];
      value.floats()[2 * r] = in["inputs_embeds"][row * kWidth];
    }
    if (a_ == kAnyTokens) {
      logits.bytes.erase(logits.bytes.begin(), logits.bytes.end() - kVocabulary * static_cast<std::ptrdiff_t>(sizeof(float)));
      logits.shape[1] = 1;
    }
    std::vector<NamedTensor> results;
    for (const std::string& name : wanted) results.push_back({name, name == "logits" ? logits : name == "past_key_0_out" ? key : value});
    return results;
  }

 private:
  std::int64_t a_;
  bool logits_;
  std::vector<std::int64_t>& runs_;
  std::vector<TensorInfo> inputs_, outputs_;
};

struct Fixture {
  std::vector<std::int64_t> runs;
  Result<DecoderSession> make(std::vector<std::int64_t> lengths, bool prefill_logits = true) {
    std::vector<DecoderGraph> graphs;
    for (std::int64_t a : lengths)
      graphs.push_back(
          {.name = fmt::format("ar{}", a), .new_tokens = a, .runner = std::make_unique<SummingRunner>(a, a <= 1 || prefill_logits, runs)});
    return DecoderSession::create(std::move(graphs), {.context = 2000});
  }
};

// Token t has the number t + 1, so that every sum tells which tokens were seen.
std::vector<float> tokens(std::int64_t begin, std::int64_t end) {
  std::vector<float> rows;
  for (std::int64_t t = begin; t < end; ++t) rows.insert(rows.end(), {static_cast<float>(t + 1), 0.0f});
  return rows;
}
float sum_to(std::int64_t count) { return static_cast<float>(count * (count + 1) / 2); }

TEST(DecoderSession, SeesEveryEarlierTokenOnceWhateverTheChunks) {
  for (const std::vector<std::int64_t>& lengths : {std::vector<std::int64_t>{1}, {4, 1}, {8, 4, 1}, {5, 3, 1}}) {
    Fixture fixture;
    auto session = fixture.make(lengths);
    ASSERT_TRUE(session.ok()) << session.error().message;
    auto logits = session->prefill_all(tokens(0, 11));
    ASSERT_TRUE(logits.ok()) << logits.error().message;
    for (std::int64_t t = 0; t < 11; ++t) {
      EXPECT_EQ((*logits)[static_cast<std::size_t>(t * kVocabulary)], sum_to(t + 1));
      EXPECT_EQ((*logits)[static_cast<std::size_t>(t * kVocabulary + 1)], -sum_to(t + 1));
      EXPECT_FLOAT_EQ((*logits)[static_cast<std::size_t>(t * kVocabulary + 2)], std::cos(static_cast<float>(t)));
    }
    for (std::int64_t t = 11; t < kContext; ++t) {
      auto step = session->step(tokens(t, t + 1));
      ASSERT_TRUE(step.ok()) << step.error().message;
      EXPECT_EQ((*step)[0], sum_to(t + 1));
    }
    EXPECT_EQ(session->position(), kContext);
  }
}

TEST(DecoderSession, TakesTheFewestRuns) {
  struct Row {
    std::int64_t tokens;
    std::vector<std::int64_t> runs;
  };
  for (const Row& row :
       {Row{1, {1}}, Row{3, {4}}, Row{4, {4}}, Row{5, {8}}, Row{8, {8}}, Row{9, {8, 1}}, Row{10, {8, 4}}, Row{13, {8, 8}}}) {
    Fixture fixture;
    auto session = fixture.make({1, 4, 8});
    ASSERT_TRUE(session.ok());
    ASSERT_TRUE(session->prefill(tokens(0, row.tokens)).ok());
    EXPECT_EQ(fixture.runs, row.runs) << row.tokens;
  }
}

TEST(DecoderSession, LeavesTheLastTokenToTheGraphWithLogits) {
  Fixture fixture;
  auto session = fixture.make({4, 1}, /*prefill_logits=*/false);
  ASSERT_TRUE(session.ok());
  auto logits = session->prefill(tokens(0, 6));
  ASSERT_TRUE(logits.ok()) << logits.error().message;
  EXPECT_EQ(logits->size(), 3u);
  EXPECT_EQ((*logits)[0], sum_to(6));
  EXPECT_EQ(fixture.runs, (std::vector<std::int64_t>{4, 4, 1}));
}

TEST(DecoderSession, RefusesWhatDoesNotFitTheContextWithNumbers) {
  Fixture fixture;
  auto session = fixture.make({4, 1});
  ASSERT_TRUE(session.ok());
  ASSERT_TRUE(session->prefill(tokens(0, 10)).ok());
  auto refused = session->prefill(tokens(10, 17));
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("7 tokens behind 10 do not fit the context of 16"), std::string::npos) << refused.error().message;
  EXPECT_EQ(session->position(), 10);
}

TEST(DecoderSession, GoesBackToASharedPrefix) {
  Fixture fixture;
  auto session = fixture.make({4, 1});
  ASSERT_TRUE(session.ok());
  ASSERT_TRUE(session->prefill(tokens(0, 9)).ok());
  session->truncate_to(5);
  auto again = session->prefill(tokens(5, 7));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ((*again)[0], sum_to(7));
  session->reset();
  auto fresh = session->step(tokens(0, 1));
  ASSERT_TRUE(fresh.ok());
  EXPECT_EQ((*fresh)[0], 1);
}

TEST(DecoderSession, ShowsItsCacheByTokens) {
  Fixture fixture;
  auto session = fixture.make({4, 1});
  ASSERT_TRUE(session.ok());
  ASSERT_TRUE(session->prefill(tokens(0, 6)).ok());
  const Tensor keys = session->keys(0), values = session->values(0);
  ASSERT_EQ(keys.shape, (Shape{1, 6, 2}));
  ASSERT_EQ(values.shape, (Shape{1, 6, 2}));
  for (std::size_t t = 0; t < 6; ++t) {
    EXPECT_EQ(keys.floats()[2 * t], -static_cast<float>(t + 1));
    EXPECT_EQ(values.floats()[2 * t], static_cast<float>(t + 1));
  }
}

TEST(DecoderSession, AGraphForAnyNumberOfTokensTakesThemAtOnce) {
  Fixture fixture;
  auto session = fixture.make({kAnyTokens});
  ASSERT_TRUE(session.ok()) << session.error().message;
  EXPECT_EQ(session->context(), 2000);
  for (const auto& [begin, end] : {std::pair(0, 5), std::pair(5, 127), std::pair(127, 128), std::pair(128, 129), std::pair(129, 400)}) {
    auto logits = session->prefill(tokens(begin, end));
    ASSERT_TRUE(logits.ok()) << logits.error().message;
    ASSERT_EQ(logits->size(), 3U);
    EXPECT_EQ((*logits)[0], sum_to(end));
    EXPECT_EQ((*logits)[1], -sum_to(end));
    EXPECT_FLOAT_EQ((*logits)[2], std::cos(static_cast<float>(end - 1)));
  }
  EXPECT_EQ(fixture.runs, (std::vector<std::int64_t>{5, 122, 1, 1, 271}));
  const Tensor keys = session->keys(0);
  ASSERT_EQ(keys.shape, (Shape{1, 400, 2}));
  EXPECT_EQ(keys.floats()[2 * 399], -400.0F);
  session->truncate_to(130);
  EXPECT_EQ((*session->step(tokens(130, 131)))[0], sum_to(131));
  EXPECT_FALSE(session->prefill(tokens(131, 2001)).ok()) << "beyond the context";
  session->reset();
  EXPECT_EQ((*session->prefill_all(tokens(0, 3))).size(), 9U);
  EXPECT_EQ((*session->step(tokens(3, 4)))[0], sum_to(4));
}

TEST(DecoderSession, WhatAGraphForAnyNumberOfTokensIsGivenDependsOnThePositionOnly) {
  Fixture fixture;
  auto session = fixture.make({kAnyTokens}), other = fixture.make({kAnyTokens});
  ASSERT_TRUE(session.ok() && other.ok());
  ASSERT_TRUE(session->prefill(tokens(0, 700)).ok());
  session->truncate_to(100);
  ASSERT_TRUE(other->prefill(tokens(0, 100)).ok());
  EXPECT_EQ(session->cached(), 100);
  EXPECT_EQ(session->keys(0).bytes, other->keys(0).bytes);
  EXPECT_EQ((*session->step(tokens(100, 101)))[0], (*other->step(tokens(100, 101)))[0]);
}

TEST(DecoderSession, RefusesGraphsThatDoNotBelongTogether) {
  Fixture fixture;
  EXPECT_FALSE(fixture.make({kAnyTokens, 1}).ok());
  EXPECT_FALSE(fixture.make({}).ok());
  EXPECT_FALSE(fixture.make({4}).ok()) << "no graph for one token";
  EXPECT_FALSE(fixture.make({1, 1}).ok()) << "the same part twice";
}

}  // namespace
}  // namespace fastvlm
