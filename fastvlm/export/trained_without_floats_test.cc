// The trained checkpoint, tower and decoder in integers throughout.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "fastvlm/compile/graph_opener.h"
#include "fastvlm/export/add_recipes.h"
#include "fastvlm/export/calibrate_checkpoint.h"
#include "fastvlm/export/export_and_compile.h"
#include "fastvlm/export/npu_plan.h"
#include "fastvlm/export/trained_in_integers_for_tests.h"
#include "fastvlm/session/output_folder.h"
#include "fastvlm/session/run_graph.h"
#include "fastvlm/verify/compare_runners.h"
#include "fastvlm/verify/verify.h"

namespace fastvlm {
namespace {

// Tower and decoder in integers: what chips without floats need.
class TrainedWithoutFloats : public TrainedInIntegers {
 protected:
  ExportOptions whole() const {
    ExportOptions made = options();
    made.npu->targets = {"sm8350"};
    made.npu->recipes = {find_recipe("w8a16-int").value()};
    made.npu->vision_recipe = find_recipe("w8a16").value();
    return made;
  }
};

TEST_F(TrainedWithoutFloats, AnswersAndVerifies) {
  export_or_fail(whole());
  EXPECT_EQ(right_answers(*chat(""), questions(1)), 5);
  Progress silent;
  auto report = verify({.output_dir = folder_ / "out", .open_cpu = cpu_for_tests()}, silent);
  ASSERT_TRUE(report.ok()) << report.error().message;
  for (const VerifyRow& row : report->rows)
    EXPECT_EQ(row.outcome, Outcome::kPassed) << row.check << " " << row.subject << ": " << row.sentence;
}

TEST_F(TrainedWithoutFloats, AFloatTowerIsRefusedByName) {
  ExportOptions half = whole();
  half.npu->vision_recipe = Recipe();
  const Status refused = check_export_and_compile({.graphs = half});
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("the tower with recipe fp16: target sm8350"), std::string::npos) << refused.error().message;
}

TEST_F(TrainedWithoutFloats, AMatrixOfHalfPrecisionIsRefusedByItsNameBeforeAnythingIsWritten) {
  const EncodingRule eight{.match = "*", .weights = eight_bits(Activations::kWhole)}, four{.match = "*", .weights = {{{4, 32}}}};
  const EncodingRule values{.match = "*.v_proj.weight"}, norms{.match = "*norm.weight"},
      others{.match = "*proj.weight", .weights = eight.weights};
  const std::pair<std::vector<EncodingRule>, const char*> cases[] = {
      {{four}, R"("model.layers.0.self_attn.q_proj.weight" in half precision (rule "*"; )"},
      {{values, eight}, R"("model.layers.0.self_attn.v_proj.weight" in half precision (rule "*.v_proj.weight"; )"},
      {{others}, R"("model.embed_tokens.weight" in half precision (no rule speaks of it; )"},
      {{norms, eight}, nullptr}};
  int exported_for_newer = 0;
  Progress silent;
  for (const auto& [rules, sentence] : cases) {
    ExportOptions mine = whole();
    mine.npu->recipes = {{.name = "mine", .rules = rules, .activations = Activations::kWhole}};
    const auto prepared = prepare_graphs(mine);
    ASSERT_TRUE(prepared.ok()) << prepared.error().message;
    const std::string findings = (*npu_plan_json(**prepared))[0]["findings"].dump();
    EXPECT_EQ(findings.find("export will refuse recipe mine, which multiplies") != std::string::npos, sentence != nullptr) << findings;
    const auto exported = export_and_compile({.graphs = mine, .compile = false}, silent);
    EXPECT_EQ(exported.ok(), sentence == nullptr);
    if (exported.ok()) continue;
    EXPECT_NE(exported.error().message.find(sentence), std::string::npos) << exported.error().message;
    EXPECT_NE(exported.error().message.find("target sm8350"), std::string::npos) << exported.error().message;
    EXPECT_FALSE(std::filesystem::exists(mine.output_dir));
    mine.npu->targets = {"sm8750"};
    mine.output_dir = folder_ / fmt::format("for_newer_chips_{}", ++exported_for_newer);
    EXPECT_TRUE(export_and_compile({.graphs = mine, .compile = false}, silent).ok()) << "chips with half precision take it";
  }
}

TEST_F(TrainedWithoutFloats, SuchARecipeIsNotAddedToAnExportEither) {
  export_or_fail(whole());
  const Recipe mine{.name = "mine", .rules = {{.match = "*", .weights = {{{4, 32}}}}}, .activations = Activations::kWhole};
  Progress silent;
  const auto refused = add_recipes(
      {.output_dir = folder_ / "out", .model_dir = kTrained / "checkpoint", .recipes = {mine}, .ranges = whole().ranges}, silent);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("recipe mine, which multiplies"), std::string::npos) << refused.error().message;
}

TEST_F(TrainedWithoutFloats, RangesAreMeasuredInTheFormOfSuchAChipToo) {
  std::filesystem::create_directories(folder_ / "pictures");
  std::filesystem::copy(kTrained / "eval/000.png", folder_ / "pictures");
  Progress silent;
  const auto ranges = calibrate_checkpoint({.model_dir = kTrained / "checkpoint",
                                            .chip = "sm8350",
                                            .pictures = folder_ / "pictures",
                                            .reply_tokens = 1,
                                            .runtimes = {.onnxruntime_library = runtimes_for_tests().onnxruntime_library}},
                                           silent);
  ASSERT_TRUE(ranges.ok()) << ranges.error().message;
  EXPECT_FALSE(ranges->values.empty());
}

// On a chip that computes no floats a probe must not take an operator and its QuantizeLinear apart.
TEST_F(TrainedWithoutFloats, TheFirstValueThatDepartsOnTheEmulatedNpuIsFound) {
  export_or_fail(whole());
  const auto npu = graph_opener({.output_dir = folder_ / "out",
                                 .chip = "sm8350",
                                 .runtimes = {.cache_folder = default_cache_folder(std::getenv("XDG_CACHE_HOME"), std::getenv("HOME"))},
                                 .program = FASTVLM_PROGRAM});
  ASSERT_TRUE(npu.ok()) << npu.error().message;
  const auto folder = open_output_folder(folder_ / "out");
  ASSERT_TRUE(folder.ok());
  const GraphEntry* tower = folder->vision(256);
  ASSERT_NE(tower, nullptr);
  ComparedGraph graph{.model = folder_ / "out" / tower->file, .open_reference = cpu_for_tests(), .open_candidate = *npu};
  const std::vector<NamedTensor> inputs = {{"pixel_values", random_floats({1, 3, 256, 256}, 0, 1, 24)}};
  graph.min_snr_db = 200;  // whatever is not equal to the last bit
  const auto first = first_departure(graph, inputs);
  ASSERT_TRUE(first.ok()) << first.error().message;
  ASSERT_TRUE(first->has_value());
  EXPECT_GT((*first)->snr_db, 40) << (*first)->value;
  EXPECT_EQ((*first)->op, "Conv") << (*first)->value;
}

TEST_F(TrainedWithoutFloats, TheEmulatedNpuAnswersRightly) {
  export_or_fail(whole());
  auto npu = graph_opener({.output_dir = folder_ / "out",
                           .chip = "sm8350",
                           .runtimes = {.cache_folder = default_cache_folder(std::getenv("XDG_CACHE_HOME"), std::getenv("HOME"))},
                           .program = FASTVLM_PROGRAM});
  ASSERT_TRUE(npu.ok()) << npu.error().message;
  const std::vector<Question> asked = {questions(1)[0], questions(1)[2]};
  EXPECT_EQ(right_answers(*chat("", *npu), asked), 2);
}

}  // namespace
}  // namespace fastvlm
