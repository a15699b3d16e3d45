// Decoders and towers of the trained checkpoint with weights of 8 bits that are decoded when they are opened, beside the same with codes.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "fastvlm/base/try.h"
#include "fastvlm/export/trained_in_integers_for_tests.h"
#include "fastvlm/session/decoded_weights.h"

namespace fastvlm {
namespace {

// Where the inputs of each graph lay in its last run, by the graph's file and the input.
using Places = std::map<std::string, std::map<std::string, const std::byte*>>;

class NotingRunner final : public Runner {
 public:
  NotingRunner(std::unique_ptr<Runner> runner, std::map<std::string, const std::byte*>& places)
      : runner_(std::move(runner)), places_(places) {}
  const std::vector<TensorInfo>& inputs() const override { return runner_->inputs(); }
  const std::vector<TensorInfo>& outputs() const override { return runner_->outputs(); }
  Result<std::vector<NamedTensor>> run(std::span<const NamedTensorView> inputs, std::span<const std::string> wanted) override {
    for (const NamedTensorView& input : inputs) places_[input.name] = input.view.bytes.data();
    return runner_->run(inputs, wanted);
  }

 private:
  std::unique_ptr<Runner> runner_;
  std::map<std::string, const std::byte*>& places_;
};

OpenGraph noting(Places& places) {
  return [&places](const Path& model) -> Result<std::unique_ptr<Runner>> {
    TRY_ASSIGN(auto runner, cpu_for_tests()(model));
    return std::unique_ptr<Runner>(std::make_unique<NotingRunner>(std::move(runner), places[model.filename().string()]));
  };
}

class DecodedWeightsOfTrained : public TrainedInIntegers {
 protected:
  void SetUp() override {
    ExportOptions made = options();
    made.npu->recipes = {find_recipe("w8").value(), find_recipe("w4").value(), find_recipe("w8a16").value()};
    made.npu->vision_recipe = find_recipe("w8a16").value();
    export_or_fail(made);
  }
  // Of some questions, each with a few tokens behind it.
  std::vector<std::vector<float>> logits(const std::string& recipe, const OpenGraph& open) const {
    Forced decoder(folder_ / "out", recipe, open);
    std::vector<std::vector<float>> rows;
    for (const Question& question : questions(1))
      for (std::vector<float>& row : decoder.run(question, {5, 6, 7})) rows.push_back(std::move(row));
    return rows;
  }
};

TEST_F(DecodedWeightsOfTrained, LogitsAreTheSameWithinTheRoundingOfFloats) {
  for (const char* recipe : {"w8", "w4", "w8a16"}) {
    SCOPED_TRACE(recipe);
    const auto codes = logits(recipe, cpu_for_tests()), decoded = logits(recipe, with_decoded_weights(cpu_for_tests()));
    ASSERT_EQ(codes.size(), decoded.size());
    for (std::size_t i = 0; i < codes.size(); ++i) {
      float largest = 0, apart = 0;
      for (std::size_t k = 0; k < codes[i].size(); ++k) {
        largest = std::max(largest, std::abs(codes[i][k]));
        apart = std::max(apart, std::abs(codes[i][k] - decoded[i][k]));
      }
      EXPECT_LE(apart, 1e-5F * largest) << i;
    }
  }
}

TEST_F(DecodedWeightsOfTrained, AnswersAreTheSameTokens) {
  for (const char* recipe : {"w8", "w8a16"}) {
    auto codes = chat(recipe), decoded = chat(recipe, with_decoded_weights(cpu_for_tests()));
    for (const Question& question : questions(4)) {
      ASSERT_TRUE(codes->start(question.image).ok() && decoded->start(question.image).ok());
      EXPECT_EQ(decoded->ask(question.prompt, nullptr).value().ids, codes->ask(question.prompt, nullptr).value().ids) << question.prompt;
    }
  }
}

TEST_F(DecodedWeightsOfTrained, AreHeldOnceForAllGraphsThatAreOpen) {
  for (const char* recipe : {"w8", "w8a16"}) {
    Places places;
    logits(recipe, with_decoded_weights(noting(places)));
    std::map<std::string, std::set<const std::byte*>> of_weight;
    std::map<std::string, int> graphs;
    for (const auto& [graph, inputs] : places)
      for (const auto& [input, place] : inputs)
        if (input.find(':') != input.npos) of_weight[input].insert(place), ++graphs[input];
    EXPECT_GE(of_weight.size(), 8U) << recipe;
    for (const auto& [weight, at] : of_weight) {
      EXPECT_EQ(graphs[weight], 2) << weight << " of " << recipe << " in the graphs for one and for 32 tokens";
      EXPECT_EQ(at.size(), 1U) << weight << " of " << recipe;
    }
  }
}

TEST_F(DecodedWeightsOfTrained, ATowerInIntegersMakesTheSameVectors) {
  const Path tower = folder_ / "out" / open_output_folder(folder_ / "out").value().vision(256)->file;
  Tensor pixels = Tensor::zeros(Dtype::kFloat32, {1, 3, 256, 256});
  for (std::uint32_t state = 1; float& pixel : pixels.floats())
    pixel = static_cast<float>((state = state * 1664525U + 1013904223U) >> 8) * 0x1p-24F;
  std::vector<Tensor> vectors;
  Places places;
  for (const OpenGraph& open : {cpu_for_tests(), with_decoded_weights(noting(places))}) {
    auto runner = open(tower);
    ASSERT_TRUE(runner.ok()) << runner.error().message;
    auto outputs = run(**runner, {{{"pixel_values", pixels}}});
    ASSERT_TRUE(outputs.ok()) << outputs.error().message;
    vectors.push_back(std::move(outputs->front().tensor));
  }
  EXPECT_GT(places.begin()->second.size(), 20U) << "kernels are given beside the pixels";
  EXPECT_EQ(vectors[0].bytes, vectors[1].bytes);
}

}  // namespace
}  // namespace fastvlm
