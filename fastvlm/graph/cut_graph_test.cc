#include "fastvlm/graph/cut_graph.h"

#include <gtest/gtest.h>

namespace fastvlm {
namespace {

Value node(Graph& graph, const char* op, std::vector<Value> inputs, Dtype dtype = Dtype::kFloat32) {
  return graph.add_node("", op, std::move(inputs), {{dtype, {1, 2}}})[0];
}

std::vector<std::string> operators_of(const Graph& graph) {
  std::vector<std::string> operators;
  for (const Node& one : graph.nodes()) operators.push_back(one.op);
  return operators;
}

std::string module_name(const Node& node) { return module_of(node); }

// a: Relu; b: x + Neg(x); behind both a node that belongs nowhere.
TEST(CutGraph, EachPartTakesWhatTheOneBeforeGives) {
  Graph graph("whole");
  Value x = graph.add_input("x", Dtype::kFloat32, {1, 2});
  const WeightPtr ones = Weight::of_values({2}, {1, 1}, "made");
  {
    const Scope scope(graph, "a");
    x = node(graph, "Mul", {node(graph, "Relu", {x}), graph.add_weight(ones, "a.weight")});
  }
  {
    const Scope scope(graph, "b");
    x = node(graph, "Add", {x, node(graph, "Neg", {x})});
  }
  graph.add_output(node(graph, "Abs", {x}), "y");
  const auto parts = cut_graph(graph, module_name);
  ASSERT_TRUE(parts.ok()) << parts.error().message;
  ASSERT_EQ(parts->size(), 2u);
  EXPECT_EQ(parts->at(0).name, "a");
  EXPECT_EQ(operators_of(*parts->at(0).graph), (std::vector<std::string>{"Relu", "Mul"}));
  EXPECT_TRUE(parts->at(0).graph->find("a.weight"));
  EXPECT_EQ(operators_of(*parts->at(1).graph), (std::vector<std::string>{"Neg", "Add", "Abs"}));
  for (const GraphPart& part : *parts) {
    EXPECT_EQ(part.graph->value(part.graph->inputs().at(0)).name, kPartInput);
    EXPECT_EQ(part.graph->value(part.graph->outputs().at(0)).name, kPartOutput);
  }
}

TEST(CutGraph, CodesBetweenPartsAreMadeWhereTheyAreRead) {
  Graph graph("codes");
  Value x = graph.add_input("x", Dtype::kFloat32, {1, 2});
  {
    const Scope scope(graph, "a");
    x = node(graph, "QuantizeLinear", {node(graph, "Relu", {x})}, Dtype::kUint16);
  }
  {
    const Scope scope(graph, "b");
    x = node(graph, "Add", {node(graph, "DequantizeLinear", {x}), node(graph, "DequantizeLinear", {x})});
  }
  graph.add_output(x, "y");
  const auto parts = cut_graph(graph, module_name);
  ASSERT_TRUE(parts.ok()) << parts.error().message;
  EXPECT_EQ(operators_of(*parts->at(0).graph), (std::vector<std::string>{"Relu"}));
  EXPECT_EQ(operators_of(*parts->at(1).graph), (std::vector<std::string>{"QuantizeLinear", "DequantizeLinear", "DequantizeLinear", "Add"}));
}

TEST(CutGraph, RefusesWhatIsNoChain) {
  struct Case {
    const char* second;
    bool reads_both;
    const char* why;
  };
  for (const Case& c : {Case{"b", true, "2 values pass from \"a\""}, Case{"a", false, "\"a\" and \"b\" take turns"}}) {
    Graph graph("knot");
    const Value x = graph.add_input("x", Dtype::kFloat32, {1, 2});
    Value y, z;
    {
      const Scope scope(graph, "a");
      y = node(graph, "Relu", {x});
    }
    {
      const Scope scope(graph, "b");
      z = node(graph, "Neg", {y});
    }
    {
      const Scope scope(graph, c.second);
      z = node(graph, "Add", {z, c.reads_both ? x : z});
    }
    graph.add_output(z, "z");
    const auto parts = cut_graph(graph, module_name);
    ASSERT_FALSE(parts.ok());
    EXPECT_NE(parts.error().message.find(c.why), std::string::npos) << parts.error().message;
  }
}

}  // namespace
}  // namespace fastvlm
