#include "fastvlm/session/decoded_weights.h"

#include <cmath>
#include <map>
#include <set>

#include "fastvlm/onnx/writer.h"
#include "fastvlm/ops/basic.h"
#include "fastvlm/session/probed_graph.h"
#include "fastvlm/session/runners_for_tests.h"
#include "fastvlm/tensor/block_quantise.h"

namespace fastvlm {
namespace {

constexpr std::int64_t kIn = 48, kOut = 70;  // more rows than one thread decodes at a time
constexpr BlockFormat kBlocks = {.bits = 8, .block = 16};

// What the runners below were given in their last run, by name.
using Seen = std::map<std::string, const std::byte*>;

class Spy final : public Runner {
 public:
  Spy(std::unique_ptr<Runner> runner, Seen& seen) : runner_(std::move(runner)), seen_(seen) {}
  const std::vector<TensorInfo>& inputs() const override { return runner_->inputs(); }
  const std::vector<TensorInfo>& outputs() const override { return runner_->outputs(); }
  Result<std::vector<NamedTensor>> run(std::span<const NamedTensorView> inputs, std::span<const std::string> wanted) override {
    seen_.clear();
    for (const NamedTensorView& input : inputs) seen_[input.name] = input.view.bytes.data();
    return runner_->run(inputs, wanted);
  }

 private:
  std::unique_ptr<Runner> runner_;
  Seen& seen_;
};

Tensor numbers(Shape shape, std::uint32_t state, float size = 1) {
  Tensor tensor = Tensor::zeros(Dtype::kFloat32, std::move(shape));
  for (float& value : tensor.floats()) value = size * (static_cast<float>((state = state * 1664525U + 1013904223U) >> 8) * 0x1p-23F - 1);
  return tensor;
}

Tensor codes(Dtype dtype, Shape shape, std::uint32_t state) {
  Tensor tensor = Tensor::zeros(dtype, std::move(shape));
  for (std::byte& byte : tensor.bytes) byte = static_cast<std::byte>((state = state * 1664525U + 1013904223U) >> 24);
  return tensor;
}

Tensor positive(Tensor tensor) {
  for (float& value : tensor.floats()) value = std::abs(value) + 0x1p-10F;
  return tensor;
}

// x [1, n, kIn] times weights in blocks.
Value product_in_blocks(Graph& graph, Value x, BlockFormat format) {
  const std::int64_t blocks = kIn / format.block;
  return ops::matmul_in_blocks(x,
                               {.codes = graph.add_constant(codes(Dtype::kUint8, {kOut, blocks, format.block_bytes()}, 1)),
                                .scales = graph.add_constant(positive(numbers({kOut, blocks}, 2, 0.01F))),
                                .zero_points = Value()},
                               format);
}

// The same with a scale for each output channel.
Value product_by_channel(Graph& graph, Value x, std::int8_t zero = 0) {
  Tensor zeros = Tensor::zeros(Dtype::kInt8, {kOut});
  zeros.bytes[3] = static_cast<std::byte>(zero);
  Value weight = graph.add_node("", "DequantizeLinear",
                                {graph.add_constant(codes(Dtype::kInt8, {kIn, kOut}, 3)),
                                 graph.add_constant(positive(numbers({kOut}, 4, 0.01F))), graph.add_constant(std::move(zeros))},
                                {{Dtype::kFloat32, {kIn, kOut}}}, {{"axis", std::int64_t{1}}})[0];
  return ops::matmul(x, weight);
}

class DecodedWeights : public testing::Test {
 protected:
  template <class Product>
  Path write(Product product) {
    Graph graph("products");
    Value x = graph.add_input("x", Dtype::kFloat32, {1, "n", kIn});
    graph.add_output(product(graph, x), "y");
    const auto bytes = to_onnx(graph, {}, {.opset = 21, .ir_version = 10});
    EXPECT_TRUE(bytes.ok());
    return folder_.write("products.onnx", *bytes);
  }
  // Every node as it is written: at other levels ONNX Runtime rounds the floats beside a weight by channel to 8 bits.
  OpenGraph spying() {
    return [this](const Path& model) -> Result<std::unique_ptr<Runner>> {
      TRY_ASSIGN(auto runner, OrtRunner::open(onnxruntime_for_tests(), model, {.threads = 1, .optimization = GraphOptimization::kNone}));
      return std::unique_ptr<Runner>(std::make_unique<Spy>(std::move(runner), seen_));
    };
  }
  std::vector<float> product(const Path& model, const OpenGraph& open) {
    auto runner = open(model);
    EXPECT_TRUE(runner.ok()) << runner.error().message;
    if (!runner.ok()) return {};
    EXPECT_EQ((*runner)->inputs().size(), 1U);
    const auto outputs = run(**runner, {{{"x", numbers({1, 3, kIn}, 5)}}});
    EXPECT_TRUE(outputs.ok()) << outputs.error().message;
    if (!outputs.ok()) return {};
    const auto floats = outputs->front().tensor.floats();
    return {floats.begin(), floats.end()};
  }
  void expect_decoded_and_the_same(const Path& model) {
    const std::vector<float> as_stored = product(model, spying());
    ASSERT_EQ(seen_.size(), 1U);
    const std::vector<float> decoded = product(model, with_decoded_weights(spying(), {.threads = 2}));
    EXPECT_EQ(seen_.size(), 2U) << "the numbers of the weight are given beside x";
    ASSERT_EQ(as_stored.size(), static_cast<std::size_t>(3 * kOut));
    ASSERT_EQ(decoded.size(), as_stored.size());
    for (std::size_t i = 0; i < decoded.size(); ++i) EXPECT_NEAR(decoded[i], as_stored[i], 1e-5) << i;
  }
  FolderForTests folder_;
  Seen seen_;
};

TEST_F(DecodedWeights, GiveTheSameProductsAsCodesInBlocks) {
  expect_decoded_and_the_same(write([](Graph& graph, Value x) { return product_in_blocks(graph, x, kBlocks); }));
}

TEST_F(DecodedWeights, GiveTheSameProductsAsCodesByChannel) {
  expect_decoded_and_the_same(write([](Graph& graph, Value x) { return product_by_channel(graph, x); }));
}

TEST_F(DecodedWeights, CodesAroundAnotherZeroStay) {
  const Path model = write([](Graph& graph, Value x) { return product_by_channel(graph, x, 1); });
  product(model, with_decoded_weights(spying()));
  EXPECT_EQ(seen_.size(), 1U);
}

TEST_F(DecodedWeights, StayCodesWhereTheirNumbersAreTooMuchMemory) {
  const Path model = write([](Graph& graph, Value x) { return product_in_blocks(graph, x, kBlocks); });
  const std::vector<float> as_stored = product(model, spying());
  constexpr std::uint64_t kNeeded = kIn * kOut * sizeof(float);
  EXPECT_EQ(product(model, with_decoded_weights(spying(), {.memory = kNeeded - 1})), as_stored);
  EXPECT_EQ(seen_.size(), 1U);
  product(model, with_decoded_weights(spying(), {.memory = kNeeded}));
  EXPECT_EQ(seen_.size(), 2U);
}

TEST_F(DecodedWeights, ProbesSeeTheValuesThatTheyAskFor) {
  const Path model =
      write([](Graph& graph, Value x) { return ops::add(product_in_blocks(graph, x, kBlocks), product_by_channel(graph, x)); });
  const auto read = read_onnx(model);
  ASSERT_TRUE(read.ok());
  std::vector<std::string> values = {"y"};
  for (const OnnxNode& node : read->nodes)
    if (node.op == "MatMulNBits") values.push_back(node.outputs[0]);
  ASSERT_EQ(values.size(), 2U);
  std::vector<std::vector<NamedTensor>> both;
  for (const OpenGraph& open : {spying(), with_decoded_weights(spying())}) {
    auto runner = open_probed(model, values, open);
    ASSERT_TRUE(runner.ok()) << runner.error().message;
    auto outputs = (*runner)->run(views(std::vector<NamedTensor>{{"x", numbers({1, 2, kIn}, 6)}}), values);
    ASSERT_TRUE(outputs.ok()) << outputs.error().message;
    both.push_back(*std::move(outputs));
  }
  EXPECT_EQ(seen_.size(), 3U);
  for (std::size_t i = 0; i < values.size(); ++i)
    for (std::size_t k = 0; k < both[0][i].tensor.floats().size(); ++k)
      EXPECT_NEAR(both[0][i].tensor.floats()[k], both[1][i].tensor.floats()[k], 1e-5) << values[i] << " " << k;
}

TEST_F(DecodedWeights, FourBitsStayAndAreOpenedInAWayOfTheirOwn) {
  const Path model = write(
      [](Graph& graph, Value x) { return ops::add(product_in_blocks(graph, x, {.bits = 4, .block = 16}), product_by_channel(graph, x)); });
  int others = 0, of_four_bits = 0;
  const auto counting = [this](int& count) -> OpenGraph {
    return [this, &count](const Path& path) {
      ++count;
      return spying()(path);
    };
  };
  product(model, with_decoded_weights(counting(others), {.open_four_bits = counting(of_four_bits)}));
  EXPECT_EQ(others, 0);
  EXPECT_EQ(of_four_bits, 1);
  EXPECT_EQ(seen_.size(), 2U) << "the weight of 8 bits is given, the other is not";
}

TEST_F(DecodedWeights, WhatIsNoModelIsRefusedByTheOneThatOpensIt) {
  const auto refused = with_decoded_weights(cpu_for_tests())(folder_.write("noise.onnx", "noise"));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message, cpu_for_tests()(folder_ / "noise.onnx").error().message);
}

}  // namespace
}  // namespace fastvlm
