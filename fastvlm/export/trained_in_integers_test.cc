// The trained checkpoint with activations in integers: calibrated, exported, asked.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "fastvlm/compile/compile_output.h"
#include "fastvlm/compile/graph_opener.h"
#include "fastvlm/export/encodings_for_tests.h"
#include "fastvlm/export/export_and_compile.h"
#include "fastvlm/export/npu_plan.h"
#include "fastvlm/export/trained_in_integers_for_tests.h"
#include "fastvlm/session/output_folder.h"
#include "fastvlm/tensor/compare.h"
#include "fastvlm/verify/verify.h"

namespace fastvlm {
namespace {

TEST_F(TrainedInIntegers, AnswersTwoHundredQuestionsAsWellAsTheFloats) {
  export_or_fail(options());
  const std::vector<Question> asked = questions(40);
  ASSERT_EQ(asked.size(), 200u);
  const int floats = right_answers(*chat("fp16"), asked);
  EXPECT_GE(floats, 199);
  for (const auto& [recipe, lost] : {std::pair("w8a16", 1), std::pair("w4a16", 6)}) {  // half a point of a hundred, three points
    const int integers = right_answers(*chat(recipe), asked);
    EXPECT_GE(integers, floats - lost) << recipe;
    fmt::print("right answers of {}: {}\n", recipe, integers);
  }
}

TEST_F(TrainedInIntegers, MeanDivergenceAlongTheFloatAnswersIsSmall) {
  export_or_fail(options());
  const std::vector<Question> asked = questions(8);
  std::vector<std::vector<std::int32_t>> answers;
  auto model = chat("fp16");
  for (const Question& question : asked) {
    ASSERT_TRUE(model->start(question.image).ok());
    answers.push_back(model->ask(question.prompt, nullptr).value().ids);
  }
  for (const auto& [recipe, most] : {std::pair("w8a16", 0.005), std::pair("w4a16", 0.05)}) {
    Forced reference(folder_ / "out", "fp16"), candidate(folder_ / "out", recipe);
    const auto [mean, tokens] = mean_divergence(reference, candidate, asked, answers);
    EXPECT_GE(tokens, 80);
    EXPECT_LE(mean, most) << recipe;
    EXPECT_GT(mean, 0) << "it is no other decoder";
    fmt::print("mean KL of {} over {} tokens: {:.2e}\n", recipe, tokens, mean);
  }
}

TEST_F(TrainedInIntegers, VerifyKnowsTheirOpsetAndTheirGates) {
  export_or_fail(options());
  Progress silent;
  auto report = verify({.output_dir = folder_ / "out", .open_cpu = cpu_for_tests()}, silent);
  ASSERT_TRUE(report.ok()) << report.error().message;
  for (const VerifyRow& row : report->rows)
    EXPECT_EQ(row.outcome, Outcome::kPassed) << row.check << " " << row.subject << ": " << row.sentence;
  const auto folder = open_output_folder(folder_ / "out");
  ASSERT_TRUE(folder.ok());
  const GraphEntry* decoder = with_recipe(*folder, "w8a16").value().manifest.find(GraphRole::kDecoder);
  EXPECT_EQ(decoder->weight_bits, 8);
  EXPECT_EQ(decoder->activations, Activations::kInt16);
  decoder = with_recipe(*folder, "w4a16").value().manifest.find(GraphRole::kDecoder);
  EXPECT_EQ(decoder->weight_bits, 4);
  EXPECT_EQ(decoder->activations, Activations::kInt16);
}

TEST_F(TrainedInIntegers, FloatGraphsBesideThemAreTheSameByteForByte) {
  // Ranges choose the forms of GELUs, also in float graphs.
  ExportOptions beside = options(), alone = options("alone");
  beside.gelu = alone.gelu = GeluPolicy::kExact;
  export_or_fail(beside);
  alone.npu->recipes = {Recipe()};
  alone.ranges.reset();
  export_or_fail(alone);
  for (const char* file : {"npu/vision_256.onnx", "npu/decoder_ar32_cl128.onnx", "npu/decoder.onnx.data", "npu/vision.onnx.data"})
    EXPECT_TRUE(text_of(folder_ / "out" / file) == text_of(folder_ / "alone" / file)) << file;
}

TEST_F(TrainedInIntegers, ThePlanHasTheBytesThatAreWrittenOnAnyNumberOfThreads) {
  auto prepared = prepare_export(options());
  ASSERT_TRUE(prepared.ok()) << prepared.error().message;
  const ExportReport report = export_or_fail(options());
  for (const PlannedFile& file : planned_files(**prepared))
    EXPECT_EQ(std::filesystem::file_size(folder_ / "out" / file.name), file.bytes) << file.name;
  auto plan = npu_plan_json(**prepared);
  ASSERT_TRUE(plan.ok());
  std::map<std::string, std::uint64_t> weights;
  for (const auto& context : (*plan)[0]["contexts"]) weights[context["group"]] = context["weight_bytes"].get<std::uint64_t>();
  EXPECT_LT(weights.at("decoder_w8a16"), weights.at("decoder") * 53 / 100);
  EXPECT_LT(weights.at("decoder_w4a16"), weights.at("decoder_w8a16") * 80 / 100);
  ExportOptions one = options("one");
  one.threads = 1;
  const ExportReport again = export_or_fail(one);
  for (const auto& [name, file] : report.files) EXPECT_EQ(again.files.at(name).sha256, file.sha256) << name;
}

TEST_F(TrainedInIntegers, PartsAreCutByTheWeightsAsTheyAreStored) {
  ExportOptions cut = options();
  cut.npu->part_limit_bytes = 300'000;
  export_or_fail(cut);
  std::map<std::string, std::int64_t> parts;
  const auto folder = open_output_folder(folder_ / "out");
  ASSERT_TRUE(folder.ok());
  for (const GraphEntry& graph : folder->manifest.graphs)
    if (graph.role == GraphRole::kDecoder) parts[std::string(graph.recipe())] = graph.extents.parts;
  EXPECT_LT(parts.at("w8a16"), parts.at("fp16"));
  EXPECT_GT(parts.at("w8a16"), 1);
  EXPECT_EQ(right_answers(*chat("w8a16"), questions(1)), 5) << "the parts fit together";
}

TEST_F(TrainedInIntegers, ThePlanSaysWhichChipCannot) {
  ExportOptions old = options();
  old.npu->targets = {"sm8350"};
  auto prepared = prepare_export(old);
  ASSERT_TRUE(prepared.ok()) << prepared.error().message;
  const auto plan = npu_plan_json(**prepared);
  ASSERT_TRUE(plan.ok());
  EXPECT_NE((*plan)[0]["findings"].dump().find("export will refuse recipe w8a16 on this chip: sm8350"), std::string::npos);
}

TEST_F(TrainedInIntegers, WhatTheyNeedIsSaid) {
  Progress silent;
  ExportOptions none = options(), fused = options(), half = options(), old = options();
  none.ranges.reset();
  fused.npu->fused = {{16, 32}};
  half.npu->io_dtype = Dtype::kFloat16;
  old.npu->targets = {"sm8350"};
  old.npu->recipes = {find_recipe("w8a16").value()};
  const std::pair<ExportOptions, const char*> cases[] = {{none, "needs their ranges; give `calibration`"},
                                                         {fused, "leave out `fused`"},
                                                         {half, "leave out `io_dtype`"},
                                                         {old, "the tower with recipe fp16: target sm8350 (Snapdragon 888)"}};
  for (const auto& [how, sentence] : cases) {
    auto refused = export_and_compile({.graphs = how, .compile = false}, silent);
    ASSERT_FALSE(refused.ok()) << sentence;
    EXPECT_NE(refused.error().message.find(sentence), std::string::npos) << refused.error().message;
  }
}

TEST_F(TrainedInIntegers, TheBuiltInSetServesWithAWarningAndItsPlanHasTheSizesThatAreWritten) {
  ExportOptions drawn = options(), planned = options();
  Progress silent;
  const auto ranges = ranges_of({},
                                {.model_dir = kTrained / "checkpoint",
                                 .chip = "sm8750",
                                 .reply_tokens = 4,
                                 .runtimes = {.onnxruntime_library = runtimes_for_tests().onnxruntime_library}},
                                silent);
  ASSERT_TRUE(ranges.ok()) << ranges.error().message;
  EXPECT_EQ(ranges->pictures, 8u);
  drawn.ranges = RangeOptions{.ranges = *ranges, .source = RangeOptions::Source::kBuiltIn};
  planned.ranges = RangeOptions{.source = RangeOptions::Source::kAssumed};
  const ExportReport report = export_or_fail(drawn);
  EXPECT_NE(text_of(folder_ / "out/manifest.json").find("the ranges of activations are those of the built-in set"), std::string::npos);
  EXPECT_EQ(right_answers(*chat("w8a16"), questions(1)), 5);
  const auto prepared = prepare_export(planned);
  ASSERT_TRUE(prepared.ok()) << prepared.error().message;
  EXPECT_NE((*prepared)->findings.front().find("would be those of the built-in set"), std::string::npos);
  for (const PlannedFile& file : planned_files(**prepared)) {
    if (file.made != "weights" && file.made != "graph") continue;
    // Measured ranges of a few values are equal, and their constants are stored once.
    const double apart = file.made == "weights" ? 0 : 0.001 * static_cast<double>(file.bytes);
    EXPECT_NEAR(static_cast<double>(report.files.at(file.name).bytes), static_cast<double>(file.bytes), apart) << file.name;
  }
}

// An operand of the integer graph is a DequantizeLinear; its constants are what the file says about the operand of the float graph.
void expect_the_constants(const GraphReadBack& graph, const OnnxNode& dequantised, const Json& row) {
  EXPECT_EQ(row.at("dtype"), "INT");
  std::vector<float> scales = graph.floats(dequantised.inputs[1]);
  EXPECT_EQ(floats_in(row), scales);
  const Tensor zero = graph.numbers(dequantised.inputs[2]);
  std::int64_t offset = 0;
  switch (zero.dtype) {
    case Dtype::kUint16: offset = -std::int64_t{reinterpret_cast<const std::uint16_t&>(zero.bytes[0])}; break;
    case Dtype::kInt16: offset = -32768; break;
    case Dtype::kInt8: offset = -128; break;
    default: ADD_FAILURE() << name(zero.dtype);
  }
  EXPECT_EQ(row.at("is_sym"), zero.dtype != Dtype::kUint16);
  EXPECT_EQ(row.at("bw"), zero.dtype == Dtype::kInt8 ? 8 : 16);
  EXPECT_EQ(row.at("enc_type"), scales.size() > 1 ? "PER_CHANNEL" : "PER_TENSOR");
  for (const Json& one : row.at("offset")) EXPECT_EQ(one, offset);
}

TEST_F(TrainedInIntegers, EncodingsAreTheConstantsOfTheGraphsReadBack) {
  export_or_fail(options());
  for (const auto& [length, recipe] : {std::pair("ar1", "w8a16"), std::pair("ar32", "w8a16"), std::pair("ar1", "w4a16")}) {
    const GraphReadBack floats(folder_ / fmt::format("out/npu/decoder_{}_cl128.onnx", length));
    const GraphReadBack integers(folder_ / fmt::format("out/npu/decoder_{}_cl128_{}.onnx", length, recipe));
    const auto rows = encodings_in(folder_ / fmt::format("out/npu/encodings_decoder_{}_cl128_{}.json", length, recipe));
    const auto tensors = tensors_of(floats);
    EXPECT_EQ(rows.size(), tensors.size());
    for (const std::string& tensor : tensors) EXPECT_TRUE(rows.contains(tensor)) << tensor;
    std::vector<const OnnxNode*> operators;
    for (const OnnxNode& node : integers.model().nodes)
      if (!node.op.ends_with("quantizeLinear") && node.op != "QuantizeLinear") operators.push_back(&node);
    std::size_t next = 0, compared = 0;
    for (const OnnxNode& node : floats.model().nodes) {
      if (node.op == "Clip") continue;
      ASSERT_LT(next, operators.size());
      const OnnxNode& twin = *operators[next++];
      const bool in_blocks = twin.op == "MatMulNBits";
      ASSERT_EQ(in_blocks ? "MatMul" : twin.op, node.op) << node.name;
      for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        if (!rows.contains(node.inputs[i])) continue;  // the numbers of a Reshape or Split
        const OnnxNode* dequantised = integers.producer(twin.inputs[i]);
        SCOPED_TRACE(node.name + " " + node.inputs[i]);
        if (in_blocks && i == 1) {
          EXPECT_EQ(rows.at(node.inputs[i]).at("enc_type"), "PER_BLOCK");
          EXPECT_EQ(floats_in(rows.at(node.inputs[i])), integers.floats(twin.inputs[2]));
          continue;
        }
        if (dequantised != nullptr && dequantised->op == "DequantizeLinear") {
          expect_the_constants(integers, *dequantised, rows.at(node.inputs[i]));
          ++compared;
        } else {
          EXPECT_EQ(rows.at(node.inputs[i]).at("dtype"), "FLOAT");
        }
      }
    }
    EXPECT_EQ(next, operators.size());
    EXPECT_GT(compared, 200u);
  }
}

TEST_F(TrainedInIntegers, CompilingForAChipThatCannotNamesTheGraphTheRecipeAndTheWayOut) {
  export_or_fail(options());
  Progress silent;
  const auto refused =
      compile_output({.output_dir = folder_ / "out",
                      .targets = {"sm8450"},
                      .runtimes = {.cache_folder = default_cache_folder(std::getenv("XDG_CACHE_HOME"), std::getenv("HOME"))}},
                     silent);
  ASSERT_FALSE(refused.ok());
  for (const char* part : {"npu/decoder_ar32_cl128_w8a16.onnx (recipe w8a16): target sm8450",
                           "name it among the targets of the export, or export", "without that recipe"})
    EXPECT_NE(refused.error().message.find(part), std::string::npos) << refused.error().message;
}

TEST_F(TrainedInIntegers, TheEmulatedNpuAnswersAsTheCpuDoes) {
  export_or_fail(options());
  auto npu = graph_opener({.output_dir = folder_ / "out",
                           .chip = "sm8750",
                           .runtimes = {.cache_folder = default_cache_folder(std::getenv("XDG_CACHE_HOME"), std::getenv("HOME"))},
                           .program = FASTVLM_PROGRAM});
  ASSERT_TRUE(npu.ok()) << npu.error().message;
  const std::vector<Question> asked = {questions(1)[0], questions(1)[2]};
  for (const char* recipe : {"w8a16", "w4a16"}) {
    Forced cpu(folder_ / "out", recipe), emulated(folder_ / "out", recipe, *npu);
    for (const Question& question : asked) {
      const auto expected = cpu.run(question, {}), actual = emulated.run(question, {});
      EXPECT_GE(compare(actual[0], expected[0]).snr_db, 50) << recipe << " " << question.prompt;
    }
  }
}

// HTP v69 takes no second factor of 16 bits.
TEST_F(TrainedInIntegers, SecondFactorsHaveEightBitsForChipsThatTakeNoMoreAndTheEmulatedNpuAnswersAsTheCpuDoes) {
  ExportOptions old = options();
  old.npu->targets = {"sm8450", "sm8750"};
  export_or_fail(old);
  const auto folder = open_output_folder(folder_ / "out");
  ASSERT_TRUE(folder.ok());
  EXPECT_EQ(with_recipe(*folder, "w8a16").value().manifest.find(GraphRole::kDecoder)->activations, Activations::kInt16Int8);
  EXPECT_NE(text_of(folder_ / "out/manifest.json").find("8 bits, because sm8450 takes no more; export for sm8750 alone"),
            std::string::npos);
  EXPECT_EQ(right_answers(*chat("w8a16"), questions(1)), 5);
  const auto npu = graph_opener({.output_dir = folder_ / "out",
                                 .chip = "sm8450",
                                 .runtimes = {.cache_folder = default_cache_folder(std::getenv("XDG_CACHE_HOME"), std::getenv("HOME"))},
                                 .program = FASTVLM_PROGRAM});
  ASSERT_TRUE(npu.ok()) << npu.error().message;
  for (const char* recipe : {"w8a16", "w4a16"}) {
    Forced cpu(folder_ / "out", recipe), emulated(folder_ / "out", recipe, *npu);
    const auto expected = cpu.run(questions(1)[0], {}), actual = emulated.run(questions(1)[0], {});
    EXPECT_GE(compare(actual[0], expected[0]).snr_db, 40) << recipe;
  }
}

}  // namespace
}  // namespace fastvlm
