// Every stage of the tower against what the reference implementation computes, in training form and fused.
#include "fastvlm/models/vision/fastvithd.h"

#include <map>

#include "fastvlm/checkpoint/golden_for_tests.h"
#include "fastvlm/models/page_for_tests.h"
#include "fastvlm/tensor/compare.h"

namespace fastvlm::models {
namespace {

std::map<std::string, Tensor> golden(const std::string& name) {
  std::map<std::string, Tensor> tensors;
  for (NamedTensor& tensor : golden_tensors(name)) tensors[tensor.name] = std::move(tensor.tensor);
  return tensors;
}

TEST(FastVitHd, EveryStageIsThatOfTheReference) {
  for (const char* name : {"apple-tied", "hf-unfused", "hf-untied-sharded"}) {
    const Checkpoint checkpoint = Checkpoint::open(golden_folder(name) / "checkpoint").value();
    const ModelConfig config = read_model_config(checkpoint).value();
    const auto expected = golden(name);
    Graph page("tower");
    Value pixels = page.add_input("pixel_values", Dtype::kFloat32, {1, 3, 128, 128});
    Value features = fastvithd(pixels, config.vision, Module(page, Weights(checkpoint)));
    std::vector<std::string> keys = {"stem", "stage0", "stage1", "stage2", "stage3", "stage4"};
    for (const std::string& key : keys) {
      const std::string value = "model.vision_tower." + (key == "stem" ? key : "stages." + key.substr(5));
      ASSERT_TRUE(page.find(value)) << value;
      page.add_output(page.find(value), value);
    }
    page.add_output(features, "image_features");
    keys.push_back("vision_features");
    const auto outputs = run_page(page, {{"pixel_values", expected.at("s128.b1.pixel_values")}});
    ASSERT_EQ(outputs.size(), keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const Tensor& wanted = expected.at("s128.b1." + keys[i]);
      ASSERT_EQ(outputs[i].tensor.shape, wanted.shape) << name << " " << keys[i];
      EXPECT_LE(compare(outputs[i].tensor.floats(), wanted.floats()).max_relative, 1e-5) << name << " " << keys[i];
    }
  }
}

// Also where the variances are so large that no epsilon shows in the numbers.
TEST(FastVitHd, TheLayerNormsHaveTheEpsilonOfTheReference) {
  const Checkpoint checkpoint = Checkpoint::open(golden_folder("apple-tied") / "checkpoint").value();
  const ModelConfig config = read_model_config(checkpoint).value();
  Graph page("tower");
  Value pixels = page.add_input("pixel_values", Dtype::kFloat32, {1, 3, 128, 128});
  fastvithd(pixels, config.vision, Module(page, Weights(checkpoint)));
  std::int64_t norms = 0, blocks = 0;
  for (const VisionStage& stage : config.vision.stages) blocks += stage.attention ? stage.blocks : 0;
  for (const Node& node : page.nodes()) {
    if (node.op != "LayerNormalization") continue;
    ++norms;
    EXPECT_EQ(node.real("epsilon"), 1e-5f) << node.name;
  }
  EXPECT_EQ(norms, blocks);
}

// A branch that no fold reads would be left over.
TEST(FastVitHd, TakesEveryTensorOfTheTower) {
  const Checkpoint checkpoint = Checkpoint::open(golden_folder("hf-unfused") / "checkpoint").value();
  const ModelConfig config = read_model_config(checkpoint).value();
  const Weights weights(checkpoint);
  Graph page("tower");
  Value pixels = page.add_input("pixel_values", Dtype::kFloat32, {1, 3, 64, 64});
  fastvithd(pixels, config.vision, Module(page, weights));
  for (const std::string& name : weights.leftovers()) EXPECT_FALSE(name.starts_with("model.vision_tower.")) << name;
}

}  // namespace
}  // namespace fastvlm::models
