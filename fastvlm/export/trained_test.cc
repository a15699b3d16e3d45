// A trained checkpoint: whether decoders with weights in integers still answer rightly, and how far their choices move.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "fastvlm/export/golden_export_for_tests.h"
#include "fastvlm/export/trained_for_tests.h"

namespace fastvlm {
namespace {

constexpr std::size_t kOfEachKind = 8;  // of 40

class Trained : public testing::Test {
 protected:
  void SetUp() override {
    ExportOptions options{.model_dir = kTrained / "checkpoint", .output_dir = output(), .image_size = 256, .threads = 2};
    options.npu = NpuOptions{.targets = {"sm8750"}, .image_sizes = {256}, .prefill = {32}, .context = 128};
    options.npu->recipes = recipes_without_ranges();
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
  const std::vector<Question> asked = questions(kOfEachKind);
  for (const char* recipe : {"fp16", "w8", "w4"}) right[recipe] = right_answers(*chat(recipe), asked);
  const int all = static_cast<int>(asked.size());
  EXPECT_EQ(all, 40);
  EXPECT_GE(right["fp16"], all * 95 / 100) << "the reference has all but one of two hundred";
  // Half a point and three points of a hundred, in whole answers of forty.
  EXPECT_GE(right["w8"], right["fp16"]);
  EXPECT_GE(right["w4"], right["fp16"] - 1);
}

TEST_F(Trained, ThePlainGraphsAnswerAsTheStaticOnes) {
  auto fixed = chat("fp16");
  auto plain =
      Chat::open(
          {.folder = output(), .open_graph = cpu_for_tests(), .max_new_tokens = 8, .keep_vision_open = true, .graphs = ChatGraphs::kPlain})
          .value();
  for (const Question& question : questions(kOfEachKind)) {
    ASSERT_TRUE(fixed->start(question.image).ok() && plain->start(question.image).ok());
    const Answer expected = fixed->ask(question.prompt, nullptr).value(), actual = plain->ask(question.prompt, nullptr).value();
    EXPECT_EQ(actual.ids, expected.ids) << question.prompt;
    EXPECT_EQ(actual.finish, expected.finish);
  }
}

TEST_F(Trained, MeanDivergenceFromTheFloatDecoderAlongItsAnswersIsSmall) {
  struct Case {
    const char* recipe;
    double most;
  };
  auto model = chat("fp16");
  const std::vector<Question> asked = questions(kOfEachKind);
  std::vector<std::vector<std::int32_t>> answers;
  for (const Question& question : asked) {
    ASSERT_TRUE(model->start(question.image).ok());
    answers.push_back(model->ask(question.prompt, nullptr).value().ids);
  }
  Forced reference(output(), "fp16");
  for (const Case& c : {Case{"w8", 0.003}, Case{"w4", 0.05}}) {
    Forced candidate(output(), c.recipe);
    const auto [mean, tokens] = mean_divergence(reference, candidate, asked, answers);
    EXPECT_GE(tokens, 80) << "an answer has a token and its end";
    EXPECT_LE(mean, c.most) << c.recipe;
    EXPECT_GT(mean, 0) << c.recipe << " is no other decoder";
    RecordProperty(std::string("divergence_") + c.recipe, fmt::format("{:.2e}", mean));
    fmt::print("mean KL of {} over {} tokens: {:.2e}\n", c.recipe, tokens, mean);
  }
}

}  // namespace
}  // namespace fastvlm
