// What the layout genie writes, and what it says about options that it has no place for.
#include "fastvlm/clients/genie.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "fastvlm/base/json.h"
#include "fastvlm/checkpoint/golden_for_tests.h"
#include "fastvlm/clients/export_layouts.h"
#include "fastvlm/quant/recipe.h"

namespace fastvlm::clients {
namespace {

LayoutExportOptions options_of(NpuOptions npu) {
  if (npu.targets.empty()) npu.targets = {"sm8750"};
  npu.prefill = {32}, npu.context = 128;
  return {.model = {.model_dir = golden_folder("apple-tied") / "checkpoint", .image_size = 128, .npu = std::move(npu)},
          .layouts = {"genie"}};
}

std::string failure_of(NpuOptions npu) {
  const auto planned = plan_layouts(options_of(std::move(npu)));
  return planned.ok() ? "" : planned.error().message;
}

std::vector<std::string> names_of(const LayoutExportOptions& options) {
  const auto planned = plan_layouts(options);
  EXPECT_TRUE(planned.ok()) << planned.error().message;
  std::vector<std::string> names;
  if (planned.ok())
    for (const PlannedFile& file : *planned) names.push_back(file.name);
  return names;
}

bool has(const std::vector<std::string>& names, const char* name) { return std::ranges::find(names, name) != names.end(); }

TEST(Genie, PlanNamesEveryFileAndOneContextWhereWeightsAreShared) {
  const auto names = names_of(options_of({}));
  for (const char* name : {"text-encoder.json", "image-encoder.json", "text-generator.json", "genie_config.json", "metadata.json",
                           "htp_backend_ext_config.json", "tokenizer.json", "tokenizer_config.json", "prompt.json", "client.cc",
                           "embedding_weights.raw", "vision_128.bin", "decoder.bin"})
    EXPECT_TRUE(has(names, (std::string("genie/") + name).c_str())) << name;
  EXPECT_EQ(names.size(), 13u);
}

TEST(Genie, UnsharedGraphsHaveContextsOfTheirOwn) {
  LayoutExportOptions options = options_of({});
  options.share_weights = false;
  const auto names = names_of(options);
  EXPECT_TRUE(has(names, "genie/decoder_ar32_cl128.bin") && has(names, "genie/decoder_ar1_cl128.bin") && !has(names, "genie/decoder.bin"));
}

TEST(Genie, ChipsThatShareNoWeightsAreNotAskedTo) {
  EXPECT_TRUE(has(names_of(options_of({.targets = {"sm8450"}})), "genie/decoder_ar1_cl128.bin"));
}

TEST(Genie, OptionsWithoutAPlaceAreRefusedByName) {
  EXPECT_TRUE(failure_of({.image_sizes = {128, 256}}).find("one picture size") != std::string::npos);
  EXPECT_TRUE(failure_of({.fused = {{4, 8}}}).find("no place for such graphs") != std::string::npos);
  EXPECT_TRUE(failure_of({.io_dtype = Dtype::kFloat16}).find("float16") != std::string::npos);
  EXPECT_TRUE(failure_of({.prefill_logits = false}).find("logits of a prompt") != std::string::npos);
  LayoutExportOptions one_by_one = options_of({});
  one_by_one.model.npu->prefill = {1};
  EXPECT_NE(plan_layouts(one_by_one).error().message.find("beside that for one"), std::string::npos);
  EXPECT_TRUE(failure_of({.part_limit_bytes = 100000}).find("cut into") != std::string::npos);
  EXPECT_TRUE(failure_of({.targets = {"sm8750", "sm8650"}}).find("one chip") != std::string::npos);
  EXPECT_TRUE(failure_of({.recipes = {find_recipe("w8a16").value()}}).find("no form with integer activations") != std::string::npos);
}

TEST(NpuLayout, ClientsStandBesideTheContextsThatTheyOpen) {
  LayoutExportOptions options = options_of({});
  options.layouts = {"npu"}, options.share_weights = false;
  const auto names = names_of(options);
  for (const char* name :
       {"client.py", "client.cc", "tokenizer.json", "embedding_weights.raw", "vision_128_ctx.onnx", "vision_128_ctx_qnn.bin",
        "decoder_ar32_cl128_ctx.onnx", "decoder_ar32_cl128_ctx_qnn.bin", "decoder_ar1_cl128_ctx.onnx", "decoder_ar1_cl128_ctx_qnn.bin"})
    EXPECT_TRUE(has(names, (std::string("npu/") + name).c_str())) << name;
  EXPECT_EQ(names.size(), 10u);
}

TEST(Genie, IsMadeForAChip) {
  LayoutExportOptions options = options_of({});
  options.model.npu.reset();
  const auto planned = plan_layouts(options);
  ASSERT_FALSE(planned.ok());
  EXPECT_NE(planned.error().message.find("made for a chip"), std::string::npos) << planned.error().message;
}

TEST(Genie, ALayoutForNoChipTakesNone) {
  LayoutExportOptions options = options_of({});
  options.layouts = {"transformers-js"};
  const auto planned = plan_layouts(options);
  ASSERT_FALSE(planned.ok());
  EXPECT_NE(planned.error().message.find("for no chip"), std::string::npos) << planned.error().message;
}

}  // namespace
}  // namespace fastvlm::clients
