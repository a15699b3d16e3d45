#include "fastvlm/quant/half_nodes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "fastvlm/quant/integer_graph.h"
#include "fastvlm/quant/recipe.h"

namespace fastvlm {
namespace {

constexpr const char* kFirst = "model.vision_tower.stages.0.blocks.0";
constexpr const char* kSecond = "model.vision_tower.stages.0.blocks.1";

// Two blocks of a tower: conv, Gelu, conv. Those whose names `encoded` says have 8 bits.
struct TwoBlocks {
  Graph graph{"tower"};
  Ranges ranges;

  explicit TwoBlocks(const std::function<bool(const std::string&)>& encoded) {
    Value x = graph.add_input("pixels", Dtype::kFloat32, {1, 2, 1, 1});
    see("pixels");
    for (const char* block : {kFirst, kSecond}) {
      const Scope scope(graph, block);
      x = conv(x, "fc1", encoded);
      x = node("Gelu", {x});
      x = conv(x, "fc2", encoded);
    }
    graph.add_output(x, "features");
    see("features");
  }

  Value node(const char* op, std::vector<Value> inputs) {
    const Value made = graph.add_node("", op, std::move(inputs), {{Dtype::kFloat32, {1, 2, 1, 1}}})[0];
    see(made.name());
    return made;
  }
  void see(const std::string& name) { ranges.values[name].observe(std::vector<float>{-1, 1}); }

  Value conv(Value x, const char* name, const std::function<bool(const std::string&)>& encoded) {
    const Scope scope(graph, name);
    const std::string weight = graph.scope() + ".weight";
    const Value kernel = graph.add_weight(Weight::of_values({2, 2, 1, 1}, {1, -0.5F, 0.3F, 0.7F}, weight), weight);
    if (encoded(weight)) graph.set_encoding(kernel.index(), eight_bits(Activations::kInt16));
    const Value bias = graph.add_weight(Weight::of_values({2}, {0.1F, 0.2F}, weight + " bias"), graph.scope() + ".bias");
    return node("Conv", {x, kernel, bias});
  }
};

std::vector<std::string> operators_in(const Graph& graph, const std::string& module) {
  std::vector<std::string> operators;
  for (const Node& node : graph.nodes())
    if (module_of(node).starts_with(module)) operators.push_back(node.op);
  return operators;
}

std::ptrdiff_t count(const std::vector<std::string>& operators, const char* op) { return std::ranges::count(operators, op); }

TEST(HalfNodes, ABlockWithoutIntegersIsOneOfFloats) {
  const TwoBlocks made([](const std::string& weight) { return weight.starts_with(kFirst); });
  EXPECT_EQ(half_nodes(made.graph), (std::vector<bool>{false, false, false, true, true, true}));
  const auto integers = to_integers(made.graph, made.ranges, form_of(Activations::kInt16));
  ASSERT_TRUE(integers.ok()) << integers.error().message;
  const auto second = operators_in(*integers->graph, kSecond);
  // It reads codes and makes floats.
  EXPECT_EQ(count(second, "DequantizeLinear"), 1);
  EXPECT_EQ(count(second, "QuantizeLinear"), 0);
  EXPECT_EQ(count(second, "Gelu"), 0) << "HTP takes it between codes only";
  EXPECT_EQ(count(second, "Erf"), 1);
  EXPECT_EQ(count(operators_in(*integers->graph, kFirst), "Gelu"), 1);
}

TEST(HalfNodes, ASingleProductOfFloatsStandsBetweenCodes) {
  const TwoBlocks made([](const std::string& weight) { return weight != std::string(kSecond) + ".fc1.weight"; });
  EXPECT_EQ(half_nodes(made.graph), (std::vector<bool>{false, false, false, true, false, false}));
  const auto integers = to_integers(made.graph, made.ranges, form_of(Activations::kInt16));
  ASSERT_TRUE(integers.ok()) << integers.error().message;
  const auto product = operators_in(*integers->graph, std::string(kSecond) + ".fc1");
  EXPECT_EQ(product, (std::vector<std::string>{"DequantizeLinear", "Conv", "QuantizeLinear"}));
  EXPECT_EQ(count(operators_in(*integers->graph, kSecond), "Gelu"), 1);
}

TEST(HalfNodes, DecodersHaveNone) {
  Graph graph("decoder");
  const Scope scope(graph, "model.layers.0.mlp.up_proj");
  const Value x = graph.add_input("x", Dtype::kFloat32, {1, 2});
  const Value weight = graph.add_weight(Weight::of_values({2, 2}, {1, 2, 3, 4}, "made"), "weight");
  graph.add_output(graph.add_node("", "MatMul", {x, weight}, {{Dtype::kFloat32, {1, 2}}})[0], "y");
  EXPECT_EQ(half_nodes(graph), (std::vector<bool>{false}));
}

}  // namespace
}  // namespace fastvlm
