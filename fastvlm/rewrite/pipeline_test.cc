#include "fastvlm/rewrite/pipeline.h"

#include <gtest/gtest.h>

#include <random>

namespace fastvlm::rewrite {
namespace {

Value node(Graph& graph, const char* op, std::vector<Value> inputs, Attributes attributes = {}) {
  return graph.add_node("", op, std::move(inputs), {{Dtype::kFloat32, {2}}}, std::move(attributes))[0];
}

Value input(Graph& graph, const char* name = "x") { return graph.add_input(name, Dtype::kFloat32, {2}); }

std::vector<std::string> ops(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes()) names.push_back(node.op);
  return names;
}

TEST(MergeEqualNodes, MakesOneOfEqualChains) {
  Graph graph("g");
  Value x = input(graph);
  Value a = node(graph, "Sin", {node(graph, "Cast", {x}, {{"to", std::int64_t{1}}})});
  Value b = node(graph, "Sin", {node(graph, "Cast", {x}, {{"to", std::int64_t{1}}})});
  graph.add_output(node(graph, "Add", {a, b}), "y");
  auto outcomes = run_passes(graph);
  EXPECT_EQ(outcomes[0].name, "merge_equal_nodes");
  EXPECT_EQ(outcomes[0].removed, 2u);
  EXPECT_EQ(ops(graph), (std::vector<std::string>{"Cast", "Sin", "Add"}));
  EXPECT_EQ(graph.nodes()[2].inputs, (std::vector<int>{a.index(), a.index()}));
}

TEST(MergeEqualNodes, MergesEveryOutputOfANode) {
  Graph graph("g");
  Value x = input(graph);
  auto split = [&] {
    return graph.add_node("", "Split", {x}, {{Dtype::kFloat32, {1}}, {Dtype::kFloat32, {1}}}, {{"axis", std::int64_t{0}}});
  };
  auto a = split(), b = split();
  graph.add_output(node(graph, "Add", {a[1], b[0]}), "y");
  run_passes(graph);
  EXPECT_EQ(ops(graph), (std::vector<std::string>{"Split", "Add"}));
  EXPECT_EQ(graph.nodes()[1].inputs, (std::vector<int>{a[1].index(), a[0].index()}));
}

TEST(MergeEqualNodes, LeavesNodesAloneThatDifferInAnything) {
  using List = std::vector<std::int64_t>;
  struct Case {
    const char* what;
    const char* op;
    Attributes first, second;
  };
  const Case cases[] = {
      {"integer", "Softmax", {{"axis", std::int64_t{0}}}, {{"axis", std::int64_t{1}}}},
      {"float", "Norm", {{"epsilon", 1e-5f}}, {{"epsilon", 1.0000001e-5f}}},
      {"list", "Transpose", {{"perm", List{0, 1}}}, {{"perm", List{1, 0}}}},
      {"text", "Rope", {{"theta", std::string("1")}}, {{"theta", std::string("2")}}},
      {"type of the attribute", "Rope", {{"theta", std::string("1")}}, {{"theta", std::int64_t{1}}}},
      {"text that looks like another attribute", "Rope", {{"a", std::string("1 b=2")}}, {{"a", std::string("1")}, {"b", std::string("2")}}},
      {"one more attribute", "Softmax", {}, {{"axis", std::int64_t{-1}}}},
  };
  for (const Case& c : cases) {
    Graph graph("g");
    Value x = input(graph);
    graph.add_output(node(graph, "Add", {node(graph, c.op, {x}, c.first), node(graph, c.op, {x}, c.second)}), "y");
    EXPECT_EQ(run_passes(graph)[0].removed, 0u) << c.what;
    EXPECT_EQ(graph.nodes().size(), 3u) << c.what;
  }
  Graph graph("g");
  Value x = input(graph, "x"), z = input(graph, "z");
  Value swapped = node(graph, "Add", {node(graph, "Sub", {x, z}), node(graph, "Sub", {z, x})});
  Value domain = graph.add_node("com.microsoft", "Gelu", {x}, {{Dtype::kFloat32, {2}}})[0];
  graph.add_output(node(graph, "Add", {swapped, node(graph, "Add", {domain, node(graph, "Gelu", {x})})}), "y");
  EXPECT_EQ(run_passes(graph)[0].removed, 0u);
}

TEST(MergeEqualNodes, NeverTakesAnOutputAway) {
  Graph graph("g");
  Value x = input(graph);
  graph.add_output(node(graph, "Sin", {x}), "first");
  graph.add_output(node(graph, "Sin", {x}), "second");
  Value third = node(graph, "Sin", {x});
  graph.add_output(node(graph, "Cos", {third}), "third");
  run_passes(graph);
  ASSERT_EQ(graph.outputs().size(), 3u);
  EXPECT_EQ(graph.value(graph.outputs()[0]).name, "first");
  EXPECT_EQ(graph.value(graph.outputs()[1]).name, "second");
  EXPECT_EQ(ops(graph), (std::vector<std::string>{"Sin", "Sin", "Cos"}));
}

TEST(RemoveUnusedNodes, RemovesWholeBranchesThatNobodyTakes) {
  Graph graph("g");
  Value x = input(graph);
  Value dead = node(graph, "Sin", {x});
  node(graph, "Cos", {node(graph, "Tan", {dead})});
  Value open = graph.add_node("", "Clip", {x, Value(), x}, {{Dtype::kFloat32, {2}}})[0];
  graph.add_output(open, "y");
  auto outcomes = run_passes(graph);
  EXPECT_EQ(outcomes[1].name, "remove_unused_nodes");
  EXPECT_EQ(outcomes[1].removed, 3u);
  EXPECT_EQ(ops(graph), (std::vector<std::string>{"Clip"}));
}

TEST(RemoveUnusedNodes, KeepsANodeOfWhichOneOutputIsUsed) {
  Graph graph("g");
  auto parts = graph.add_node("", "Split", {input(graph)}, {{Dtype::kFloat32, {1}}, {Dtype::kFloat32, {1}}});
  graph.add_output(parts[1], "y");
  EXPECT_EQ(run_passes(graph)[1].removed, 0u);
}

TEST(Pipeline, EveryPassHasAReasonAndCanBeSwitchedOff) {
  for (const Pass& pass : passes()) {
    EXPECT_GT(std::string(pass.reason).size(), 10u) << pass.name;
    Graph graph("g");
    Value x = input(graph);
    node(graph, "Sin", {x});
    graph.add_output(node(graph, "Add", {node(graph, "Cos", {x}), node(graph, "Cos", {x})}), "y");
    auto outcomes = run_passes(graph, {.off = {pass.name}});
    EXPECT_EQ(outcomes.size() + 1, passes().size());
    for (const PassOutcome& outcome : outcomes) EXPECT_NE(outcome.name, pass.name);
    EXPECT_EQ(graph.nodes().size(), 3u) << "one of two removable nodes stays without " << pass.name;
  }
}

// What a graph of +, * and - computes from its inputs.
std::vector<double> evaluate(const Graph& graph) {
  std::vector<double> values(graph.values().size(), 0);
  for (std::size_t i = 0; i < graph.inputs().size(); ++i)
    values[static_cast<std::size_t>(graph.inputs()[i])] = 1.5 + static_cast<double>(i);
  for (const Node& n : graph.nodes()) {
    const double a = values[static_cast<std::size_t>(n.inputs[0])], b = values[static_cast<std::size_t>(n.inputs[1])];
    values[static_cast<std::size_t>(n.outputs[0])] = n.op == "Add" ? a + b : n.op == "Sub" ? a - b : a * b / 4;
  }
  std::vector<double> outputs;
  for (int output : graph.outputs()) outputs.push_back(values[static_cast<std::size_t>(output)]);
  return outputs;
}

TEST(Pipeline, RandomGraphsComputeTheSameAfterAllPasses) {
  constexpr const char* kOps[] = {"Add", "Sub", "Mul"};
  std::size_t removed = 0;
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    Graph graph("g");
    std::vector<Value> values = {input(graph, "a"), input(graph, "b")};
    for (int i = 0; i < 30; ++i) {
      auto any = [&] { return values[random() % std::min<std::size_t>(values.size(), 8)]; };
      values.push_back(node(graph, kOps[random() % 3], {any(), any()}));
    }
    for (int i = 0; i < 3; ++i) graph.add_output(values[values.size() - 1 - static_cast<std::size_t>(i) * 5], "out" + std::to_string(i));
    const std::vector<double> before = evaluate(graph);
    for (const PassOutcome& outcome : run_passes(graph)) removed += outcome.removed;
    EXPECT_EQ(evaluate(graph), before) << seed;
    for (const PassOutcome& outcome : run_passes(graph)) EXPECT_EQ(outcome.removed, 0u) << "a second run finds nothing, seed " << seed;
  }
  EXPECT_GT(removed, 1000u);
}

TEST(PipelineDeathTest, AGraphOutOfOrderIsOurBug) {
  Graph graph("g");
  Value x = input(graph);
  Value a = node(graph, "Sin", {x}), b = node(graph, "Cos", {x});
  graph.add_output(node(graph, "Add", {a, b}), "y");
  graph.replace_uses(x.index(), b.index());  // Sin now takes what is made behind it
  EXPECT_DEATH(check_graph(graph), "a value is made before its use");
}

}  // namespace
}  // namespace fastvlm::rewrite
