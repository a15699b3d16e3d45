#include "fastvlm/graph/cost.h"

#include <gtest/gtest.h>

namespace fastvlm {
namespace {

WeightPtr weight(Shape shape, float value) {
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)), value);
  return Weight::of_values(std::move(shape), std::move(values), "test");
}

Value node(Graph& graph, const char* op, std::vector<Value> inputs, Dims output, Attributes attributes = {}, const char* domain = "") {
  return graph.add_node(domain, op, std::move(inputs), {{Dtype::kFloat32, std::move(output)}}, std::move(attributes))[0];
}

// A node of each kind, and what it costs.
TEST(Macs, AreThoseOfConvolutionsAndMatrices) {
  struct Case {
    const char* op;
    Dims x;
    Shape weight;
    Dims y;
    Attributes attributes;
    std::int64_t macs;
  };
  const Attributes turned = {{"transB", std::int64_t{1}}}, grouped = {{"group", std::int64_t{6}}};
  const Case cases[] = {
      {"MatMul", {2, 5, 3}, {3, 7}, {2, 5, 7}, {}, 2 * 5 * 7 * 3},
      {"Gemm", {5, 3}, {3, 7}, {5, 7}, {}, 5 * 7 * 3},
      {"Gemm", {5, 3}, {7, 3}, {5, 7}, turned, 5 * 7 * 3},
      {"Conv", {1, 3, 8, 8}, {6, 3, 3, 3}, {1, 6, 4, 4}, {}, 6 * 16 * 27},
      {"Conv", {1, 6, 8, 8}, {6, 1, 5, 5}, {1, 6, 8, 8}, grouped, 6 * 64 * 25},
      {"Add", {5, 7}, {7}, {5, 7}, {}, 0},
  };
  for (const Case& c : cases) {
    Graph graph("one");
    Value x = graph.add_input("x", Dtype::kFloat32, c.x);
    node(graph, c.op, {x, graph.add_weight(weight(c.weight, 1), "w")}, c.y, c.attributes);
    EXPECT_EQ(macs(graph), c.macs) << c.op << " " << to_string(c.weight);
  }
}

TEST(Macs, NeedEveryExtentOfTheNodesThatCount) {
  Graph graph("symbols");
  Value x = graph.add_input("x", Dtype::kFloat32, {"batch", "length", 3});
  Value y = node(graph, "MatMul", {x, graph.add_weight(weight({3, 7}, 1), "w")}, {"batch", "length", 7});
  node(graph, "Sqrt", {y}, {"batch", "length", 7});
  EXPECT_EQ(macs(graph), std::nullopt);
  EXPECT_EQ(macs(graph, {{"batch", 2}}), std::nullopt);
  EXPECT_EQ(macs(graph, {{"batch", 2}, {"length", 5}}), 2 * 5 * 7 * 3);
  EXPECT_EQ(macs(Graph("empty")), 0);
}

TEST(WeightBytes, CountAWeightOnceHoweverOftenItIsNamed) {
  Graph graph("weights");
  const WeightPtr shared = weight({4, 5}, 1);
  graph.add_weight(shared, "a");
  graph.add_weight(shared, "b");
  graph.add_weight(weight({4, 5}, 2), "c");
  graph.add_constant(Tensor::zeros(Dtype::kFloat32, {100}));
  EXPECT_EQ(total_weight_bytes(graph), 2 * 40u) << "in half precision";
  Graph other("other");
  other.add_weight(shared, "again");
  auto both = weight_bytes(graph);
  both.merge(weight_bytes(other));
  EXPECT_EQ(both.size(), 2u);
}

TEST(WeightBytes, AreThoseOfCodesAndScalesWhereAWeightHasAnEncoding) {
  Graph graph("weights");
  const Value value = graph.add_weight(weight({3, 64}, 1), "a");
  graph.set_encoding(value.index(), {.blocks = {.bits = 4, .block = 32}});
  EXPECT_EQ(total_weight_bytes(graph), 3u * 32 + 3 * 2 * 2) << "two blocks of 32 codes and their scales in each row";
  EXPECT_EQ(weight_bytes(graph).begin()->second.packed, 3u * 32);
}

}  // namespace
}  // namespace fastvlm
