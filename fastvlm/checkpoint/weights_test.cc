#include "fastvlm/checkpoint/weights.h"

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/base/model_error.h"
#include "fastvlm/checkpoint/safetensors_writer.h"
#include "fastvlm/tensor/convert.h"

namespace fastvlm {
namespace {

// A checkpoint of three tensors in three types; the numbers of each are 0, 1, 2, …
class WeightsTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_.write("config.json", R"({"model_type": "llava_qwen2"})");
    ASSERT_TRUE(write_safetensors(folder_ / "model.safetensors",
                                  std::vector<NamedTensor>{counted("model.layers.0.mlp.up_proj.weight", Dtype::kFloat16, {6, 4}),
                                                           counted("model.layers.1.mlp.up_proj.weight", Dtype::kFloat32, {2, 3, 2}),
                                                           counted("model.layers.10.mlp.up_proj.weight", Dtype::kFloat32, {1}),
                                                           {"model.norm.weight", Tensor::zeros(Dtype::kInt64, {4})}},
                                  {})
                    .ok());
    auto opened = Checkpoint::open(folder_.path());
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    checkpoint_ = std::make_unique<Checkpoint>(std::move(*opened));
  }
  static NamedTensor counted(std::string name, Dtype dtype, Shape shape) {
    std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
    return {std::move(name), cast_to(Tensor::of_floats(std::move(shape), values), dtype)};
  }
  std::string message_of(const std::function<void(const Weights&)>& take) {
    try {
      take(Weights(*checkpoint_));
    } catch (const ModelError& error) {
      return error.what();
    }
    return "no error";
  }
  FolderForTests folder_;
  std::unique_ptr<Checkpoint> checkpoint_;
};

TEST_F(WeightsTest, TheCursorDescendsByNameAndIndex) {
  Weights w(*checkpoint_);
  Weights mlp = w.at("model.layers").at(std::size_t{0}).at("mlp");
  EXPECT_EQ(mlp.path(), "model.layers.0.mlp");
  EXPECT_TRUE(mlp.has("up_proj.weight"));
  EXPECT_FALSE(mlp.has("up_proj"));
  EXPECT_TRUE(mlp.has_module("up_proj"));
  EXPECT_TRUE(w.has_module("model.layers.1"));
  EXPECT_FALSE(w.has_module("model.layers.2"));
  EXPECT_FALSE(w.has_module("model.layers.1.mlp.up_proj.weight")) << "a tensor is no module";
  EXPECT_FALSE(w.has_module("model.layer"));
}

TEST_F(WeightsTest, NumbersAreReadInRectanglesOfAnyKind) {
  Weights w(*checkpoint_);
  WeightPtr up = w.at("model.layers.0.mlp.up_proj").take("weight", {6, 4});
  EXPECT_EQ(up->from(), (std::vector<std::string>{"model.layers.0.mlp.up_proj.weight"}));
  std::vector<float> rows(8);
  ASSERT_TRUE(up->read_rows(2, 4, rows).ok());
  EXPECT_EQ(rows, (std::vector<float>{8, 9, 10, 11, 12, 13, 14, 15}));
  std::vector<float> columns(12);
  ASSERT_TRUE(up->transposed()->read_rows(1, 3, columns).ok());
  EXPECT_EQ(columns, (std::vector<float>{1, 5, 9, 13, 17, 21, 2, 6, 10, 14, 18, 22}));
  WeightPtr kernel = w.take("model.layers.1.mlp.up_proj.weight", {2, 3, 2});
  EXPECT_EQ(kernel->rows(1, 2)->read_all().value(), (std::vector<float>{6, 7, 8, 9, 10, 11}));
  EXPECT_EQ(w.take_values("model.layers.10.mlp.up_proj.weight", {1}), (std::vector<float>{0}));
}

TEST_F(WeightsTest, AMisfitNamesTheTensorAndBothShapes) {
  const std::string folder = folder_.path().string();
  EXPECT_EQ(message_of([](const Weights& w) { w.at("model.layers.7").take("mlp.up_proj.weight", {1}); }),
            "[weight] model.layers.7.mlp.up_proj.weight: the checkpoint " + folder +
                " has no such tensor; the files hold 4 tensors, such as \"model.norm.weight\"");
  EXPECT_EQ(message_of([](const Weights& w) { w.take("model.layers.0.mlp.up_proj.weight", {4, 6}); }),
            "[weight] model.layers.0.mlp.up_proj.weight: tensor \"model.layers.0.mlp.up_proj.weight\" of model.safetensors has shape [6, "
            "4], expected [4, 6]");
  EXPECT_EQ(message_of([](const Weights& w) { w.take("model.norm.weight", {4}); }),
            "[weight] model.norm.weight: tensor \"model.norm.weight\" holds int64, a floating type was expected");
  EXPECT_EQ(message_of([](const Weights& w) { w.take_values("model.norm.weight", {5}); }),
            "[weight] model.norm.weight: tensor \"model.norm.weight\" of model.safetensors has shape [4], expected [5]");
}

TEST_F(WeightsTest, WhatNobodyTookIsLeftOver) {
  Weights w(*checkpoint_);
  Weights branch = w.at("model.layers");
  branch.take("0.mlp.up_proj.weight", {6, 4});
  w.find("model.norm.weight");
  EXPECT_THROW(w.take("model.layers.1.mlp.up_proj.weight", {1}), ModelError);
  EXPECT_EQ(w.leftovers(),
            (std::vector<std::string>{"model.layers.1.mlp.up_proj.weight", "model.layers.10.mlp.up_proj.weight", "model.norm.weight"}));
  branch.take("1.mlp.up_proj.weight", {2, 3, 2});
  branch.take_values("10.mlp.up_proj.weight", {1});
  EXPECT_EQ(w.leftovers(), (std::vector<std::string>{"model.norm.weight"}));
}

TEST_F(WeightsTest, AFileThatIsCutOffLaterIsAnErrorWhenRead) {
  Weights w(*checkpoint_);
  WeightPtr last = w.take("model.layers.0.mlp.up_proj.weight", {6, 4});
  std::filesystem::resize_file(folder_ / "model.safetensors", 100);
  auto values = last->read_all();
  ASSERT_FALSE(values.ok());
  EXPECT_TRUE(values.error().message.starts_with((folder_ / "model.safetensors").string())) << values.error().message;
}

}  // namespace
}  // namespace fastvlm
