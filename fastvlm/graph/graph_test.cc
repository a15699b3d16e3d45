#include "fastvlm/graph/graph.h"

#include <gtest/gtest.h>

namespace fastvlm {
namespace {

Value node(Graph& graph, const char* op, std::vector<Value> inputs) {
  return graph.add_node("", op, std::move(inputs), {{Dtype::kFloat32, {1, 2}}})[0];
}

WeightPtr weight(std::vector<float> values) {
  const auto size = static_cast<std::int64_t>(values.size());
  return Weight::of_values({size}, std::move(values), "made");
}

TEST(Graph, NodesAndValuesAreNamedAfterTheirModuleAndCounted) {
  Graph graph("g");
  Value x = graph.add_input("x", Dtype::kFloat32, {1, 2});
  EXPECT_EQ(node(graph, "Relu", {x}).name(), "Relu:0");
  Scope model(graph, "model");
  {
    Scope layers(graph, "layers.0");
    EXPECT_EQ(graph.scope(), "model.layers.0");
    EXPECT_EQ(node(graph, "Relu", {x}).name(), "model.layers.0/Relu:0");
    EXPECT_EQ(node(graph, "Relu", {x}).name(), "model.layers.0/Relu_1:0");
    auto parts = graph.add_node("", "Split", {x}, {{Dtype::kFloat32, {1, 1}}, {Dtype::kFloat32, {1, 1}}});
    EXPECT_EQ(parts[0].name(), "model.layers.0/Split:0");
    EXPECT_EQ(parts[1].name(), "model.layers.0/Split:1");
    Scope elsewhere(graph, "lm_head", /*absolute=*/true);
    EXPECT_EQ(graph.scope(), "lm_head");
  }
  EXPECT_EQ(graph.scope(), "model");
  EXPECT_EQ(graph.nodes()[2].name, "model.layers.0/Relu_1");
}

TEST(Graph, ValuesAreFoundByTheirPresentName) {
  Graph graph("g");
  Value x = graph.add_input("x", Dtype::kInt64, {"batch", 3});
  Value y = node(graph, "Relu", {x});
  graph.rename(y, "probe");
  EXPECT_EQ(graph.find("probe").index(), y.index());
  EXPECT_FALSE(graph.find("Relu:0"));
  EXPECT_EQ(graph.find("x").dtype(), Dtype::kInt64);
  EXPECT_EQ(to_string(graph.find("x").dims()), "[batch, 3]");
  EXPECT_EQ(graph.find("x").dim(-1), Dim(3));
}

TEST(Graph, ANameThatIsTakenGetsANumber) {
  Graph graph("g");
  Value x = graph.add_input("x", Dtype::kFloat32, {1, 2});
  Value a = node(graph, "Relu", {x}), b = node(graph, "Relu", {x}), c = node(graph, "Relu", {x});
  graph.rename(a, "probe");
  graph.rename(b, "probe");
  graph.rename(c, "probe_1");
  EXPECT_EQ(a.name(), "probe");
  EXPECT_EQ(b.name(), "probe_1");
  EXPECT_EQ(c.name(), "probe_1_1");
  graph.rename(a, "probe");
  EXPECT_EQ(a.name(), "probe");
}

TEST(Graph, AnOutputTakesItsName) {
  Graph graph("g");
  Value y = node(graph, "Relu", {graph.add_input("x", Dtype::kFloat32, {1, 2})});
  graph.add_output(y, "y");
  EXPECT_EQ(y.name(), "y");
  EXPECT_EQ(graph.outputs(), std::vector<int>{y.index()});
}

TEST(Graph, OneWeightUnderOneNameIsOneInitializer) {
  Graph graph("g");
  Value a = graph.add_weight(weight({1, 2}), "w");
  EXPECT_EQ(graph.add_weight(weight({1, 2}), "w").index(), a.index());
  Value other = graph.add_weight(weight({1, 3}), "w");
  EXPECT_NE(other.index(), a.index());
  EXPECT_EQ(other.name(), "w_1");
  EXPECT_EQ(graph.add_weight(weight({1, 3}), "w").index(), other.index()) << "also the second under a name that was taken";
  EXPECT_NE(graph.add_weight(weight({1, 2}), "w", Dtype::kFloat16).index(), a.index());
  EXPECT_NE(graph.add_weight(weight({1, 2}), "v").index(), a.index());
  EXPECT_TRUE(a.info().is_constant());
  EXPECT_EQ(a.dims(), (Dims{2}));
}

TEST(Graph, EqualConstantsAreOneAndThoseOfAnotherTypeOrShapeAreNot) {
  Graph graph("g");
  const float ones[] = {1, 1};
  const std::int64_t integers[] = {1, 1};
  Value a = graph.add_constant(Tensor::of_floats({2}, ones));
  EXPECT_EQ(graph.add_constant(Tensor::of_floats({2}, ones)).index(), a.index());
  EXPECT_NE(graph.add_constant(Tensor::of_floats({1, 2}, ones)).index(), a.index());
  EXPECT_NE(graph.add_constant(Tensor::of_int64({2}, integers)).index(), a.index());
  const float zero[] = {0.0f}, minus_zero[] = {-0.0f};
  EXPECT_NE(graph.add_constant(Tensor::of_floats({1}, zero)).index(), graph.add_constant(Tensor::of_floats({1}, minus_zero)).index());
}

TEST(Graph, OptionalInputsStayOpen) {
  Graph graph("g");
  Value x = graph.add_input("x", Dtype::kFloat32, {1, 2});
  node(graph, "Clip", {x, Value(), x});
  EXPECT_EQ(graph.nodes()[0].inputs, (std::vector<int>{x.index(), -1, x.index()}));
}

TEST(Graph, KeepingSomeNodesRenumbersTheProducers) {
  Graph graph("g");
  Value x = graph.add_input("x", Dtype::kFloat32, {1, 2});
  Value a = node(graph, "Relu", {x}), b = node(graph, "Erf", {x}), c = node(graph, "Sqrt", {b});
  graph.keep_nodes({false, true, true});
  ASSERT_EQ(graph.nodes().size(), 2u);
  EXPECT_EQ(graph.nodes()[0].op, "Erf");
  EXPECT_EQ(a.info().producer, -1);
  EXPECT_EQ(b.info().producer, 0);
  EXPECT_EQ(c.info().producer, 1);
}

TEST(Graph, ReplacedUsesReachEveryNode) {
  Graph graph("g");
  Value x = graph.add_input("x", Dtype::kFloat32, {1, 2});
  Value a = node(graph, "Relu", {x}), b = node(graph, "Erf", {x});
  node(graph, "Add", {b, b});
  graph.replace_uses(b.index(), a.index());
  EXPECT_EQ(graph.nodes()[2].inputs, (std::vector<int>{a.index(), a.index()}));
  EXPECT_EQ(graph.nodes()[1].inputs, (std::vector<int>{x.index()}));
}

TEST(Dims, SymbolsAreNoNumbers) {
  EXPECT_EQ(static_shape({1, 2}), (Shape{1, 2}));
  EXPECT_EQ(static_shape({1, "n"}), std::nullopt);
  EXPECT_EQ(static_shape({}), Shape{});
  EXPECT_NE(Dim("n"), Dim("m"));
  EXPECT_NE(Dim("n"), Dim(-1));
  EXPECT_EQ(to_string(to_dims({3, 4})), "[3, 4]");
}

TEST(GraphDeathTest, ValuesOfAnotherGraphAndNamesGivenTwiceAreOurBug) {
  Graph one("one"), two("two");
  Value x = one.add_input("x", Dtype::kFloat32, {1, 2});
  EXPECT_DEATH(node(two, "Relu", {x}), "inputs of the same graph");
  EXPECT_DEATH(one.add_input("x", Dtype::kFloat32, {}), "a new name for each input");
  EXPECT_DEATH(one.add_output(node(one, "Relu", {x}), "x"), "a new name for each output");
  EXPECT_DEATH((void)Value().info(), "a value of a graph");
}

}  // namespace
}  // namespace fastvlm
