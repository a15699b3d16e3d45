#include "fastvlm/session/float_edges.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

namespace fastvlm {
namespace {

constexpr Encoding kWords = {.dtype = Dtype::kUint16, .scale = 0.5F, .zero_point = 32768};
constexpr Encoding kBytes = {.dtype = Dtype::kUint8, .scale = 0.25F, .zero_point = 128};

// Gives each input back as the output of the same number.
class Echo final : public Runner {
 public:
  explicit Echo(std::vector<TensorInfo> inputs, std::vector<TensorInfo> outputs)
      : inputs_(std::move(inputs)), outputs_(std::move(outputs)) {}
  const std::vector<TensorInfo>& inputs() const override { return inputs_; }
  const std::vector<TensorInfo>& outputs() const override { return outputs_; }
  Result<std::vector<NamedTensor>> run(std::span<const NamedTensorView> inputs, std::span<const std::string> wanted) override {
    std::vector<NamedTensor> given;
    for (std::size_t i = 0; i < outputs_.size(); ++i)
      if (wanted.empty() || outputs_[i].name == wanted[0])
        given.push_back(
            {outputs_[i].name, {inputs[i].view.dtype, inputs[i].view.shape, {inputs[i].view.bytes.begin(), inputs[i].view.bytes.end()}}});
    return given;
  }

 private:
  std::vector<TensorInfo> inputs_, outputs_;
};

std::unique_ptr<Runner> echo(Dtype words = Dtype::kUint16) {
  return std::make_unique<Echo>(
      std::vector<TensorInfo>{{"words", words, {7}}, {"bytes", Dtype::kUint8, {7}}, {"floats", Dtype::kFloat32, {7}}},
      std::vector<TensorInfo>{{"words_out", Dtype::kUint16, {7}}, {"bytes_out", Dtype::kUint8, {7}}, {"floats_out", Dtype::kFloat32, {7}}});
}

GraphEntry entry() {
  return {.name = "decoder",
          .inputs = {{.name = "words", .type = Dtype::kUint16, .shape = {7}, .encoding = kWords},
                     {.name = "bytes", .type = Dtype::kUint8, .shape = {7}, .encoding = kBytes},
                     {.name = "floats", .shape = {7}}},
          .outputs = {{.name = "words_out", .type = Dtype::kUint16, .shape = {7}, .encoding = kWords},
                      {.name = "bytes_out", .type = Dtype::kUint8, .shape = {7}, .encoding = kBytes},
                      {.name = "floats_out", .shape = {7}}}};
}

std::vector<NamedTensor> inputs_of(const std::array<float, 7>& numbers) {
  const Tensor tensor = Tensor::of_floats({7}, numbers);
  return {{"words", tensor}, {"bytes", tensor}, {"floats", tensor}};
}

std::vector<float> numbers_in(const Tensor& tensor) { return {tensor.floats().begin(), tensor.floats().end()}; }

TEST(FloatEdges, NumbersBecomeTheNearestCodesHalfToEvenAndComeBackAsWhatThoseStandFor) {
  auto runner = with_float_edges(echo(), entry());
  ASSERT_TRUE(runner.ok()) << runner.error().message;
  for (const auto* infos : {&(*runner)->inputs(), &(*runner)->outputs()})
    for (const TensorInfo& info : *infos) EXPECT_EQ(info.dtype, Dtype::kFloat32) << info.name;
  const auto outputs = run(**runner, inputs_of({0, 0.25F, 0.75F, -0.3F, -1e9F, 1e9F, 0.125F}));
  ASSERT_TRUE(outputs.ok()) << outputs.error().message;
  EXPECT_EQ(numbers_in((*outputs)[0].tensor), (std::vector<float>{0, 0, 1, -0.5F, -16384, 16383.5F, 0}));
  EXPECT_EQ(numbers_in((*outputs)[1].tensor), (std::vector<float>{0, 0.25F, 0.75F, -0.25F, -32, 31.75F, 0}));
  EXPECT_EQ(numbers_in((*outputs)[2].tensor), (std::vector<float>{0, 0.25F, 0.75F, -0.3F, -1e9F, 1e9F, 0.125F})) << "no codes";
}

TEST(FloatEdges, WhatIsNoNumberIsTheLeastCode) {
  auto runner = with_float_edges(echo(), entry());
  ASSERT_TRUE(runner.ok());
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::string wanted[] = {"bytes_out"};
  const auto outputs = run(**runner, inputs_of({std::nanf(""), kInfinity, -kInfinity, 0, 0, 0, 0}), wanted);
  ASSERT_TRUE(outputs.ok());
  EXPECT_EQ(numbers_in((*outputs)[0].tensor), (std::vector<float>{-32, 31.75F, -32, 0, 0, 0, 0}));
}

TEST(FloatEdges, EveryCodeIsKeptOnItsWayOutAndIn) {
  for (const Encoding& encoding : {Encoding{.dtype = Dtype::kUint16, .scale = 1.7e-4F, .zero_point = 32768},
                                   Encoding{.dtype = Dtype::kUint16, .scale = 0.037F, .zero_point = 777}}) {
    const Shape shape = {65536};
    GraphEntry graph{.name = "g",
                     .inputs = {{.name = "in", .type = Dtype::kUint16, .shape = {65536}, .encoding = encoding}},
                     .outputs = {{.name = "out", .type = Dtype::kUint16, .shape = {65536}, .encoding = encoding}}};
    const std::vector<TensorInfo> in = {{"in", Dtype::kUint16, shape}}, out = {{"out", Dtype::kUint16, shape}};
    auto runner = with_float_edges(std::make_unique<Echo>(in, out), graph);
    ASSERT_TRUE(runner.ok());
    std::vector<float> numbers(65536);
    for (int code = 0; code < 65536; ++code)
      numbers[static_cast<std::size_t>(code)] = static_cast<float>(code - encoding.zero_point) * encoding.scale;
    const std::vector<NamedTensor> inputs = {{"in", Tensor::of_floats(shape, numbers)}};
    const auto outputs = run(**runner, inputs);
    ASSERT_TRUE(outputs.ok());
    EXPECT_EQ(numbers_in((*outputs)[0].tensor), numbers);
  }
}

TEST(FloatEdges, AManifestThatSaysOtherTypesThanTheFileIsRefused) {
  const auto refused = with_float_edges(echo(Dtype::kUint8), entry());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message, "decoder: \"words\" is uint8, but manifest.json says uint16; export again");
}

TEST(FloatEdges, AGraphWithProbesHasTheEdgesOfItsOriginalAndOthersAreLeftAlone) {
  const OpenGraph plain = [](const Path&) -> Result<std::unique_ptr<Runner>> { return echo(); };
  Manifest manifest;
  manifest.graphs = {entry()};
  const OpenGraph open = with_float_edges(plain, manifest);
  for (const auto& [file, dtype] : {std::pair("npu/decoder.onnx", Dtype::kFloat32), std::pair("tmp/decoder.x1.onnx", Dtype::kFloat32),
                                    std::pair("npu/decoder_probed.onnx", Dtype::kFloat32), std::pair("npu/other.onnx", Dtype::kUint16)}) {
    auto runner = open(file);
    ASSERT_TRUE(runner.ok());
    EXPECT_EQ((*runner)->inputs()[0].dtype, dtype) << file;
  }
}

}  // namespace
}  // namespace fastvlm
