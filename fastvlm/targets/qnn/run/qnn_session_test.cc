#include "fastvlm/targets/qnn/run/qnn_session.h"

#include <cmath>
#include <functional>

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/checkpoint/model_config.h"
#include "fastvlm/checkpoint/weights.h"
#include "fastvlm/models/vision/fastvithd.h"
#include "fastvlm/onnx/writer.h"
#include "fastvlm/ops/semantic.h"
#include "fastvlm/run/runtimes_for_tests.h"
#include "fastvlm/targets/qnn/chips/soc_for_tests.h"
#include "fastvlm/targets/qnn/lower/htp_expansions.h"
#include "fastvlm/tensor/compare.h"

namespace fastvlm::qnn {
namespace {

constexpr int kCpu = 0;

class EmulatedQnnSession : public testing::Test {
 protected:
  Path write(const Graph& graph) {
    return folder_.write(graph.name() + ".onnx", to_onnx(*ops::expand(graph, htp_expansions()), {}, {}).value());
  }
  Path doubled() {
    Graph graph("doubled");
    Value x = graph.add_input("x", Dtype::kFloat32, {1, 4});
    graph.add_output(ops::add(x, x), "y");
    return write(graph);
  }
  Result<std::unique_ptr<RemoteRunner>> open(const Path& model, int soc_model, const Path& program = FASTVLM_PROGRAM) {
    return open_in_child(
        {.program = program, .runtimes = runtimes_for_tests(), .soc_model = soc_model, .model = model, .log_folder = folder_.path()});
  }
  static std::vector<NamedTensor> inputs(const Runner& runner) {
    std::vector<NamedTensor> tensors;
    std::uint32_t state = 1;
    for (const TensorInfo& info : runner.inputs()) {
      tensors.push_back({info.name, Tensor::zeros(info.dtype, info.shape)});
      for (float& value : tensors.back().tensor.floats())
        value = static_cast<float>((state = state * 1664525u + 1013904223u) >> 8) * 0x1p-24f;
    }
    return tensors;
  }
  FolderForTests folder_;
};

TEST_F(EmulatedQnnSession, RunsInAChildAsOftenAsAsked) {
  auto runner = open(doubled(), kCpu);
  ASSERT_TRUE(runner.ok()) << runner.error().message;
  ASSERT_EQ((*runner)->inputs().size(), 1u);
  EXPECT_EQ((*runner)->inputs()[0].name, "x");
  EXPECT_EQ((*runner)->inputs()[0].shape, (Shape{1, 4}));
  for (float first : {1.0f, -2.0f}) {
    const std::vector<NamedTensor> x = {{"x", Tensor::of_floats({1, 4}, std::vector<float>{first, 2, 3, 4})}};
    auto y = run(**runner, x);
    ASSERT_TRUE(y.ok()) << y.error().message;
    ASSERT_EQ(y->size(), 1u);
    EXPECT_EQ((*y)[0].tensor.floats()[0], 2 * first);
    EXPECT_EQ((*y)[0].tensor.floats()[3], 8);
  }
}

TEST_F(EmulatedQnnSession, WrongInputsAndOutputsAreErrorsAndTheSessionStays) {
  auto runner = open(doubled(), kCpu);
  ASSERT_TRUE(runner.ok());
  const std::vector<NamedTensor> x = {{"x", Tensor::zeros(Dtype::kFloat32, {1, 4})}},
                                 wide = {{"x", Tensor::zeros(Dtype::kFloat32, {1, 5})}};
  const std::vector<std::string> unknown = {"z"};
  EXPECT_FALSE(run(**runner, wide).ok());
  EXPECT_FALSE(run(**runner, {}).ok());
  EXPECT_FALSE(run(**runner, x, unknown).ok());
  EXPECT_TRUE(run(**runner, x).ok());
}

TEST_F(EmulatedQnnSession, AModelThatCannotBeOpenedIsAnErrorOfTheChild) {
  auto missing = open(folder_ / "missing.onnx", kCpu);
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.error().message.find("missing.onnx"), std::string::npos) << missing.error().message;
  EXPECT_FALSE(open(folder_.write("damaged.onnx", "no model"), kCpu).ok());
}

TEST_F(EmulatedQnnSession, AChildThatDiesIsDescribedAndItsLogStays) {
  folder_.write("crashing", "#!/bin/sh\necho the last words\nkill -SEGV $$\n");
  std::filesystem::permissions(folder_ / "crashing", std::filesystem::perms::owner_all);
  auto runner = open(doubled(), kCpu, folder_ / "crashing");
  ASSERT_FALSE(runner.ok());
  EXPECT_EQ(runner.error().kind, ErrorKind::kEnvironment);
  EXPECT_TRUE(
      runner.error().message.starts_with("doubled.onnx: the process that runs the vendor's library was killed by signal 11 (Segmentation "
                                         "fault); its last line was: the last words; its log is "))
      << runner.error().message;
  const std::string log = runner.error().message.substr(runner.error().message.find("log is ") + 7);
  EXPECT_EQ(read_file(log, 1000).value(), "the last words\n");
}

// The whole tower of a tiny checkpoint on the emulated NPU against the CPU.
TEST_F(EmulatedQnnSession, TheEmulatedVisionTowerAgreesWithTheCpu) {
  const auto checkpoint = Checkpoint::open(Path(FASTVLM_TEST_DATA) / "golden/apple-tied/checkpoint").value();
  const auto config = read_model_config(checkpoint).value();
  Graph graph("vision");
  Value pixels = graph.add_input("pixel_values", Dtype::kFloat32, {1, 3, 128, 128});
  graph.add_output(models::fastvithd(pixels, config.vision, Module(graph, Weights(checkpoint))), "features");
  const Path model = write(graph);
  auto cpu = open(model, kCpu), npu = open(model, find_soc("sm8750").value()->soc_model);
  ASSERT_TRUE(cpu.ok()) << cpu.error().message;
  ASSERT_TRUE(npu.ok()) << npu.error().message;
  auto expected = run(**cpu, inputs(**cpu)), actual = run(**npu, inputs(**npu));
  ASSERT_TRUE(expected.ok()) << expected.error().message;
  ASSERT_TRUE(actual.ok()) << actual.error().message;
  EXPECT_GE(compare((*actual)[0].tensor.floats(), (*expected)[0].tensor.floats()).snr_db, 45);
}

// Each of these was 5 to 20 dB worse before it was written as it is (htp_expansions.cc).
TEST_F(EmulatedQnnSession, ActivationsKeepTheirAccuracyBehindALayer) {
  auto weight = [](Shape shape, double size) {
    std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(size * std::sin(static_cast<double>(3 * i * i % 1000)));
    return Weight::of_values(std::move(shape), std::move(values), "test");
  };
  auto conv = [&](Value x) { return ops::conv2d(x, {weight({32, 16, 3, 3}, 0.1), weight({32}, 0.2)}, {.padding = 1}); };
  auto project = [&](Value x) { return ops::linear(x, weight({64, 256}, 0.2), weight({64}, 0.2)); };
  const Dims map = {1, 16, 64, 64}, tokens = {1, 16, 256}, token = {1, 1, 256};
  struct Case {
    const char* name;
    Dims input;
    std::function<Value(Value)> make;
  };
  for (const Case& c :
       {Case{"gelu_of_a_map", map, [&](Value x) { return ops::gelu(conv(x)); }},
        Case{"sigmoid_of_a_map", map, [&](Value x) { return ops::sigmoid(conv(x)); }},
        Case{"gelu_of_tokens", tokens, [&](Value x) { return ops::gelu(project(x)); }},
        Case{"gelu_of_large_values", tokens, [&](Value x) { return ops::gelu(ops::mul(x, ops::scalar(x.graph(), Dtype::kFloat32, 100))); }},
        Case{"silu_of_a_token", token, [&](Value x) { return ops::silu(project(x)); }}}) {
    Graph graph(c.name);
    graph.add_output(c.make(graph.add_input("x", Dtype::kFloat32, c.input)), "y");
    const Path model = write(graph);
    auto cpu = open(model, kCpu), npu = open(model, find_soc("sm8750").value()->soc_model);
    ASSERT_TRUE(cpu.ok() && npu.ok()) << c.name;
    auto expected = run(**cpu, inputs(**cpu)), actual = run(**npu, inputs(**npu));
    ASSERT_TRUE(expected.ok() && actual.ok()) << c.name;
    EXPECT_GE(compare((*actual)[0].tensor.floats(), (*expected)[0].tensor.floats()).snr_db, 62) << c.name;
  }
}

// Weights in blocks of integers run whole on the NPU (CPU fallback is off) and mean the same numbers there.
TEST_F(EmulatedQnnSession, TheEmulatedNpuComputesWithWeightsInBlocks) {
  std::vector<float> values(256 * 128);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(0.2 * std::sin(static_cast<double>(3 * i * i % 1000)));
  for (const BlockFormat format : {BlockFormat{8, 128}, BlockFormat{8, 64}, BlockFormat{8, 32}, BlockFormat{4, 64}, BlockFormat{4, 32}})
    for (const char* chip : {"sm8450", "sm8550", "sm8750"}) {
      Graph graph(fmt::format("blocks_of_{}_with_{}_bits", format.block, format.bits));
      Value x = graph.add_input("x", Dtype::kFloat32, {1, 4, 128});
      graph.add_output(ops::linear(x, Weight::of_values({256, 128}, values, "test")), "y");
      encode_weights(graph, {{.match = "*", .weights = WeightEncoding{format}}});
      const Path model = write(graph);
      auto cpu = open(model, kCpu), npu = open(model, find_soc(chip).value()->soc_model);
      ASSERT_TRUE(cpu.ok()) << cpu.error().message;
      ASSERT_TRUE(npu.ok()) << npu.error().message;
      auto expected = run(**cpu, inputs(**cpu)), actual = run(**npu, inputs(**npu));
      ASSERT_TRUE(expected.ok() && actual.ok()) << graph.name();
      EXPECT_GE(compare((*actual)[0].tensor.floats(), (*expected)[0].tensor.floats()).snr_db, 55) << graph.name() << " " << chip;
    }
}

// One cached attention, sixteen new tokens behind sixteen slots.
TEST_F(EmulatedQnnSession, TheEmulatedAttentionAgreesWithTheCpu) {
  Graph graph("attention");
  auto input = [&](const char* name, Dims dims) { return graph.add_input(name, Dtype::kFloat32, std::move(dims)); };
  Value q = input("q", {1, 16, 64}), k = input("k", {1, 16, 32}), v = input("v", {1, 16, 32});
  const ops::Positions positions = {
      .cos = input("cos", {1, 1, 16, 8}), .sin = input("sin", {1, 1, 16, 8}), .mask = input("mask", {1, 1, 16, 32})};
  const ops::PastKeyValue past = {input("past_key", {2, 1, 16, 16}), input("past_value", {2, 1, 16, 16})};
  auto result = ops::cached_rotary_attention(q, k, v, positions, past, {.heads = 4, .key_value_heads = 2, .head_dim = 16});
  graph.add_output(result.output, "y");
  graph.add_output(result.key, "key");
  graph.add_output(result.value, "value");
  const Path model = write(graph);
  auto cpu = open(model, kCpu), npu = open(model, find_soc("sm8750").value()->soc_model);
  ASSERT_TRUE(cpu.ok() && npu.ok());
  auto expected = run(**cpu, inputs(**cpu)), actual = run(**npu, inputs(**npu));
  ASSERT_TRUE(expected.ok() && actual.ok());
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_GE(compare((*actual)[i].tensor.floats(), (*expected)[i].tensor.floats()).snr_db, 45) << (*expected)[i].name;
}

}  // namespace
}  // namespace fastvlm::qnn
