#include "fastvlm/export/prepare_plan.h"

#include <gtest/gtest.h>

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/export/edited_checkpoint_for_tests.h"

namespace fastvlm {
namespace {

std::map<std::string, std::uint64_t> sizes(const PreparedExport& prepared) {
  std::map<std::string, std::uint64_t> sizes;
  for (const PlannedFile& file : planned_files(prepared))
    if (file.name != kManifestFile) sizes[file.name] = file.bytes;  // which holds findings
  return sizes;
}

TEST(PreparePlan, AFolderWithoutWeightsIsPlannedAsTheSameFolderWithThem) {
  FolderForTests folder;
  const EditedCheckpoint checkpoint(folder.path() / "config", "hf-untied-sharded");
  const NpuOptions npu{.targets = {"sm8750"}, .image_sizes = {128}, .prefill = {16}, .context = 64};
  const Path whole = golden_folder("hf-untied-sharded") / "checkpoint";
  const auto with = prepare_plan({.model_dir = whole, .npu = npu});
  const auto without = prepare_plan({.model_dir = checkpoint.path(), .npu = npu});
  ASSERT_TRUE(with.ok()) << with.error().message;
  ASSERT_TRUE(without.ok()) << without.error().message;
  EXPECT_EQ(sizes(**without), sizes(**with));
  EXPECT_TRUE(mentions((*without)->findings, "no weights in the folder"));
  EXPECT_FALSE(mentions((*with)->findings, "no weights in the folder"));
  EXPECT_FALSE(prepare_export({.model_dir = checkpoint.path()}).ok()) << "export needs the weights";
}

TEST(PreparePlan, AnIndexWithoutShardsIsNoWeightsButAPartIs) {
  FolderForTests folder;
  const EditedCheckpoint checkpoint(folder.path() / "config", "hf-untied-sharded");
  checkpoint.write("model.safetensors.index.json", R"({"weight_map": {"a": "model-00001-of-00002.safetensors"}})");
  EXPECT_TRUE(prepare_plan({.model_dir = checkpoint.path()}).ok());
  checkpoint.write("model-00002-of-00002.safetensors.part", "x");
  EXPECT_FALSE(prepare_plan({.model_dir = checkpoint.path()}).ok());
}

struct RefusedConfig {
  const char* title;
  void (*change)(Json& config);
  const char* words;
};
const RefusedConfig kRefusedConfigs[] = {
    {"no layers", [](Json& j) { j["text_config"].erase("num_hidden_layers"); }, "num_hidden_layers"},
    {"too many layers", [](Json& j) { j["text_config"]["num_hidden_layers"] = 1'000'000; }, "between 1 and 1024"},
    {"heads that do not divide", [](Json& j) { j["text_config"]["num_attention_heads"] = 7; }, "does not divide hidden_size"},
    {"no heads", [](Json& j) { j["text_config"]["num_attention_heads"] = 0; }, "between 1 and 1024"},
    {"an unknown tower", [](Json& j) { j["vision_config"]["hidden_size"] = 100; }, "which tower it is"},
    {"four stages", [](Json& j) { j["vision_config"]["model_args"]["layers"] = {1, 1, 1, 1}; }, "5 sizes above 0"},
    {"another model", [](Json& j) { j["model_type"] = "llama"; }, "llama"},
};

TEST(PreparePlan, AConfigThatMakesNoModelIsRefused) {
  for (const RefusedConfig& row : kRefusedConfigs) {
    FolderForTests folder;
    const EditedCheckpoint checkpoint(folder.path() / "config", "hf-untied-sharded");
    checkpoint.edit(row.change);
    const auto prepared = prepare_plan({.model_dir = checkpoint.path()});
    ASSERT_FALSE(prepared.ok()) << row.title;
    EXPECT_NE(prepared.error().message.find(row.words), std::string::npos) << row.title << ": " << prepared.error().message;
  }
}

TEST(PreparePlan, EverySizeIsPlannedWithoutAFolder) {
  std::uint64_t smaller = 0;
  for (const std::string& size : planned_sizes()) {
    const auto prepared = prepare_plan_of_size({}, size);
    ASSERT_TRUE(prepared.ok()) << size << ": " << prepared.error().message;
    EXPECT_TRUE((*prepared)->options.model_dir.empty());
    const std::uint64_t bytes = sizes(**prepared).at("fastvlm_decoder_with_projection.onnx.data");
    EXPECT_GT(bytes, smaller) << size;
    smaller = bytes;
  }
  EXPECT_FALSE(prepare_plan_of_size({}, "3b").ok());
}

}  // namespace
}  // namespace fastvlm
