#include "fastvlm/ops/expand.h"

#include <gtest/gtest.h>

#include "fastvlm/base/model_error.h"
#include "fastvlm/ops/semantic.h"

namespace fastvlm::ops {
namespace {

std::vector<Value> as_relu(const ExpansionContext& context) { return {relu(context.input(0))}; }
std::vector<Value> as_matmul(const ExpansionContext& context) {
  return {matmul(context.input(0), context.add_weight(context.weight(1)->transposed(), 1))};
}

const ExpansionTable kTable = {{"gelu", as_relu}, {"linear", as_matmul}};

WeightPtr ones(Shape shape) {
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)), 1.0f);
  return Weight::of_values(std::move(shape), std::move(values), "ones");
}

TEST(Expand, ReplacesSemanticNodesAndCopiesTheOthers) {
  Graph graph("model");
  Value x = graph.add_input("x", Dtype::kFloat32, {"b", 4});
  Value y = [&] {
    Scope scope(graph, "layers.0");
    Value first = gelu(x), second = erf(x);
    return add(first, second);
  }();
  graph.add_output(y, "y");
  auto expanded = expand(graph, kTable);
  EXPECT_EQ(expanded->name(), "model");
  ASSERT_EQ(expanded->nodes().size(), 3u);
  EXPECT_EQ(expanded->nodes()[0].name, "layers.0/Relu");
  EXPECT_EQ(expanded->nodes()[1].name, "layers.0/Erf");
  EXPECT_EQ(expanded->nodes()[2].op, "Add");
  EXPECT_EQ(expanded->value(expanded->inputs()[0]).name, "x");
  EXPECT_EQ(expanded->value(expanded->outputs()[0]).name, "y");
  EXPECT_EQ(to_string(expanded->value(expanded->outputs()[0]).dims), "[b, 4]");
}

TEST(Expand, NamesGivenByTheModelStay) {
  Graph graph("model");
  Value x = graph.add_input("x", Dtype::kFloat32, {2, 4});
  Value probe = gelu(x);
  graph.rename(probe, "model.layers.0");
  graph.add_output(gelu(probe), "y");
  auto expanded = expand(graph, kTable);
  ASSERT_TRUE(expanded->find("model.layers.0"));
  EXPECT_EQ(expanded->find("model.layers.0").info().producer, 0);
}

TEST(Expand, WeightsStayRecipesInTheLayoutThatTheExpansionWants) {
  Graph graph("model");
  Value x = graph.add_input("x", Dtype::kFloat32, {2, 4});
  Scope scope(graph, "head");
  const WeightPtr weight = ones({3, 4});
  graph.add_output(add(linear(x, weight), linear(x, weight)), "y");
  auto expanded = expand(graph, kTable);
  Value matrix = expanded->find("head.weight");
  ASSERT_TRUE(matrix);
  EXPECT_EQ(matrix.info().weight->shape(), (Shape{4, 3}));
  EXPECT_FALSE(expanded->find("head.weight_1")) << "the same weight twice is one initializer";
}

TEST(Expand, AnInputThatIsAnOutputToo) {
  Graph graph("model");
  Value x = graph.add_input("x", Dtype::kFloat32, {2});
  graph.add_output(x, "x");
  auto expanded = expand(graph, kTable);
  EXPECT_EQ(expanded->outputs(), expanded->inputs());
}

TEST(Expand, AnOperatorWithoutARowNamesItselfAndItsModule) {
  Graph graph("model");
  Value x = graph.add_input("x", Dtype::kFloat32, {2});
  Scope scope(graph, "layers.3.mlp");
  graph.add_output(silu(x), "y");
  try {
    expand(graph, kTable);
    FAIL() << "no error";
  } catch (const ModelError& error) {
    EXPECT_STREQ(error.what(), "[silu] layers.3.mlp: this target has no expansion for it");
  }
}

TEST(ExpandDeathTest, AnExpansionThatChangesTheShapeIsOurBug) {
  Graph graph("model");
  Value x = graph.add_input("x", Dtype::kFloat32, {2, 4});
  graph.add_output(gelu(x), "y");
  const ExpansionTable wrong = {
      {"gelu", [](const ExpansionContext& context) { return std::vector<Value>{reduce_mean_last(context.input(0))}; }}};
  EXPECT_DEATH(expand(graph, wrong), "an expansion keeps the shape");
}

}  // namespace
}  // namespace fastvlm::ops
