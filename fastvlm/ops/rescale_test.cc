#include "fastvlm/ops/rescale.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "fastvlm/ops/reference.h"
#include "fastvlm/ops/semantic.h"

namespace fastvlm::ops {
namespace {

constexpr double kLimit = 8188;  // an eighth of half precision
constexpr std::int64_t kRows = 2, kWidth = 4;

WeightPtr weight(Shape shape, float first) {
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = first + static_cast<float>((i * 7) % 11) / 3;
  return Weight::of_values(std::move(shape), std::move(values), std::to_string(first));
}

Value input(Graph& graph, const std::string& name) { return graph.add_input(name, Dtype::kFloat32, {kRows, kWidth}); }

Value layer(Value x, const std::string& scope, float first) {
  Scope own(x.graph(), scope);
  return linear(x, weight({kWidth, kWidth}, first), weight({kWidth}, -first));
}

Value norm(Value x, const std::string& scope) {
  Scope own(x.graph(), scope);
  return rms_norm(x, weight({kWidth}, 0.5F), 0.25);
}

Value named(Value x, const std::string& name) {
  x.graph().rename(x, name);
  return x;
}

// A stream with one block, as in a decoder: x -> "embed" -> + mlp(norm) -> "block" -> norm -> head.
std::unique_ptr<Graph> residual() {
  auto graph = std::make_unique<Graph>("residual");
  Value embed = named(layer(input(*graph, "x"), "embed", -1), "embed");
  Value up = silu(layer(norm(embed, "first"), "up", 0.75F));
  Value block = named(add(embed, layer(up, "down", -0.5F)), "block");
  graph->add_output(layer(norm(block, "last"), "head", 2), "logits");
  return graph;
}

ScalePlan plan_of(const Graph& graph, const std::map<std::string, float>& peaks) {
  return plan_scales(graph, reference_expansions(), peaks, kLimit);
}

// ---- What a graph computes ------------------------------------------------------------------------------------------------

using Numbers = std::vector<float>;

class Calculator {
 public:
  explicit Calculator(const Graph& graph) : graph_(graph), values_(graph.values().size()) {}

  // Inputs by name; the first output.
  Numbers run(const std::map<std::string, Numbers>& inputs) {
    for (int index : graph_.inputs()) at(index) = inputs.at(graph_.value(index).name);
    for (const Node& node : graph_.nodes()) at(node.outputs[0]) = compute(node);
    return at(graph_.outputs()[0]);
  }

 private:
  Numbers& at(int index) { return values_[static_cast<std::size_t>(index)]; }
  Numbers numbers(int index) {
    const ValueInfo& info = graph_.value(index);
    if (info.weight != nullptr) return *info.weight->read_all();
    if (info.constant) return {info.constant->floats().begin(), info.constant->floats().end()};
    return at(index);
  }

  Numbers compute(const Node& node) {
    const Numbers x = numbers(node.inputs[0]);
    const auto each = [&](const std::function<float(float)>& f) {
      Numbers out(x.size());
      std::ranges::transform(x, out.begin(), f);
      return out;
    };
    const float scale = scale_of(node);
    if (node.op == "linear") return product(x, numbers(node.inputs[1]), numbers(node.inputs[2]));
    if (node.op == "rms_norm") return normed(x, numbers(node.inputs[1]), node.real("epsilon"));
    if (node.op == "silu") return each([&](float v) { return v / (1 + std::exp(-v / scale)); });
    if (node.op == "sigmoid") return each([&](float v) { return 1 / (1 + std::exp(-v / scale)); });
    const Numbers y = numbers(node.inputs[1]);
    Numbers out(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const float other = y[y.size() == 1 ? 0 : i];
      out[i] = node.op == "Add" ? x[i] + other : x[i] * other;
    }
    EXPECT_TRUE(node.op == "Add" || node.op == "Mul") << node.op;
    return out;
  }

  static Numbers product(const Numbers& x, const Numbers& matrix, const Numbers& bias) {
    Numbers out(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const std::size_t row = i / kWidth, column = i % kWidth;
      for (std::size_t k = 0; k < kWidth; ++k) out[i] += x[row * kWidth + k] * matrix[column * kWidth + k];
      out[i] += bias[column];
    }
    return out;
  }

  static Numbers normed(const Numbers& x, const Numbers& weight, float epsilon) {
    Numbers out(x.size());
    for (std::size_t row = 0; row < x.size(); row += kWidth) {
      float squares = 0;
      for (std::size_t k = 0; k < kWidth; ++k) squares += x[row + k] * x[row + k];
      for (std::size_t k = 0; k < kWidth; ++k) out[row + k] = x[row + k] / std::sqrt(squares / kWidth + epsilon) * weight[k];
    }
    return out;
  }

  const Graph& graph_;
  std::vector<Numbers> values_;
};

const std::map<std::string, Numbers> kInputs = {{"x", {0.1F, -2, 3.3F, 0.7F, 1, 0.01F, -0.3F, 9}},
                                                {"hidden", {5, -0.2F, 0.3F, 1, 0.5F, 8, -7, 0.6F}}};

Numbers outputs_of(const Graph& graph) { return Calculator(graph).run(kInputs); }

const Node& node_of(const Graph& graph, const std::string& name) {
  const auto found = std::ranges::find(graph.nodes(), name, &Node::name);
  EXPECT_NE(found, graph.nodes().end()) << name;
  return found == graph.nodes().end() ? graph.nodes().front() : *found;
}

std::size_t count(const Graph& graph, const std::string& op) {
  return static_cast<std::size_t>(std::ranges::count(graph.nodes(), op, &Node::op));
}

// ---- Tests ----------------------------------------------------------------------------------------------------------------

TEST(PlanScales, WhatIsAddedTogetherIsOneStream) {
  const ScalePlan plan = plan_of(*residual(), {{"embed", 3.0F}, {"block", 1e6F}, {"logits", 40.0F}});
  ASSERT_EQ(plan.streams.size(), 1u);
  const ScaledStream& stream = plan.streams[0];
  EXPECT_EQ(stream.name, "embed");
  EXPECT_EQ(stream.largest, "block");
  EXPECT_EQ(stream.absmax, 1e6);
  EXPECT_EQ(stream.halvings, 7) << "1e6 / 128 is below the limit, 1e6 / 64 above";
  EXPECT_EQ(stream.values, 3u);
  EXPECT_EQ(stream.modules, (std::vector<std::string>{"embed", "block"}));
  EXPECT_EQ(plan.halvings, (std::map<std::string, int>{{"embed", 7}, {"down/linear:0", 7}, {"block", 7}}));
  EXPECT_TRUE(plan.unscaled.empty());
}

TEST(PlanScales, NothingIsScaledUpToTheLimit) {
  EXPECT_TRUE(plan_of(*residual(), {{"embed", 8188.0F}, {"block", 8188.0F}}).empty());
  EXPECT_EQ(plan_of(*residual(), {{"block", 8189.0F}}).streams.at(0).halvings, 1);
}

TEST(PlanScales, WhatMustStayIsNamedWithItsReason) {
  Graph graph("pinned");
  Value x = input(graph, "x");
  Value q = named(layer(x, "q", 1), "q"), k = layer(x, "k", 1), v = named(layer(x, "v", 1), "v");
  Value block = add(
      x,
      layer(self_attention(reshape(q, {1, kRows, kWidth}), reshape(k, {1, kRows, kWidth}), reshape(v, {1, kRows, kWidth}), 2), "out", 1));
  graph.add_output(block, "block");
  const ScalePlan plan = plan_of(graph, {{"x", 2e4F}, {"q", 3e4F}, {"v", 4e4F}, {"block", 5e4F}});
  std::map<std::string, std::string> why;
  for (const UnscaledValue& value : plan.unscaled) why[value.name] = value.why;
  EXPECT_EQ(why, (std::map<std::string, std::string>{
                     {"x", "an input of the graph"}, {"q", "read by self_attention"}, {"block", "an output of the graph"}}));
  ASSERT_EQ(plan.streams.size(), 1u) << "values go through attention as they are";
  EXPECT_EQ(plan.streams[0].name, "v");
  EXPECT_EQ(plan.streams[0].halvings, 3);
}

TEST(PlanScales, AProductIsScaledByItsFactors) {
  Graph graph("product");
  Value x = input(graph, "x");
  Value up = named(layer(x, "up", 1), "up"), gate = named(sigmoid(layer(x, "gate", -1)), "gate");
  Value both = named(mul(gate, up), "both");
  graph.add_output(layer(both, "down", 0.5F), "y");
  const ScalePlan plan = plan_of(graph, {{"up", 5.0F}, {"both", 1e5F}});
  EXPECT_EQ(plan.halvings, (std::map<std::string, int>{{"up", 4}, {"both", 4}}));
  EXPECT_EQ(outputs_of(*rescaled(graph, plan.halvings)), outputs_of(graph));
}

TEST(Rescaled, GivesTheSameNumbersToTheLastBit) {
  const auto graph = residual();
  for (const float peak : {1e4F, 1e6F, 1e9F}) {
    const ScalePlan plan = plan_of(*graph, {{"block", peak}});
    const auto scaled = rescaled(*graph, plan.halvings);
    EXPECT_EQ(outputs_of(*scaled), outputs_of(*graph)) << peak;
    EXPECT_EQ(count(*scaled, "Mul"), 0u) << "weights make up for it";
    EXPECT_EQ(scaled->nodes().size(), graph->nodes().size());
  }
}

TEST(Rescaled, WeightsAndEpsilonTakeTheFactors) {
  const auto graph = residual();
  const auto scaled = rescaled(*graph, {{"embed", 3}});
  const auto ratio = [&](const char* name) {
    return scaled->find(name).info().weight->read_all()->at(0) / graph->find(name).info().weight->read_all()->at(0);
  };
  for (const char* name : {"embed.weight", "embed.bias", "down.weight", "down.bias"}) EXPECT_EQ(ratio(name), 0.125F) << name;
  for (const char* name : {"up.weight", "up.bias", "first.weight", "last.weight", "head.weight", "head.bias"})
    EXPECT_EQ(ratio(name), 1.0F) << name;
  for (const char* name : {"first/rms_norm", "last/rms_norm"})
    EXPECT_EQ(node_of(*scaled, name).real("epsilon"), 0.25F / 64) << name << ": the square of the factor";
}

TEST(Rescaled, ALinearLayerBehindAStreamUndoesItsScale) {
  Graph graph("linear");
  graph.add_output(layer(named(layer(input(graph, "x"), "first", -1), "stream"), "second", 3), "y");
  const auto scaled = rescaled(graph, {{"stream", 5}});
  EXPECT_EQ(scaled->find("second.weight").info().weight->read_all()->at(0), 96.0F);
  EXPECT_EQ(scaled->find("second.bias").info().weight->read_all()->at(0), -3.0F);
  EXPECT_EQ(outputs_of(*scaled), outputs_of(graph));
}

TEST(Rescaled, TheHeadUndoesTheScaleOfTheFinalNorm) {
  Graph graph("head");
  Value last = named(norm(graph.add_input("x", Dtype::kFloat32, {1, kRows, kWidth}), "norm"), "last");
  {
    Scope own(graph, "head");
    graph.add_output(vocabulary_logits(last, weight({3, kWidth}, 3)), "logits");
  }
  const ScalePlan plan = plan_of(graph, {{"last", 2.6e5F}, {"logits", 40.0F}});
  EXPECT_EQ(plan.halvings, (std::map<std::string, int>{{"last", 5}}));
  EXPECT_TRUE(plan.unscaled.empty());
  const auto scaled = rescaled(graph, plan.halvings);
  EXPECT_EQ(scaled->find("norm.weight").info().weight->read_all()->at(0), 0.5F / 32);
  EXPECT_EQ(scaled->find("head.weight").info().weight->read_all()->at(0), 96.0F);
}

TEST(Rescaled, ActivationsKnowTheScale) {
  Graph graph("activations");
  Value x = input(graph, "x");
  Value a = silu(named(layer(x, "a", -1), "a")), b = sigmoid(named(layer(x, "b", 1), "b"));
  graph.add_output(layer(mul(a, b), "y", 1), "y");
  const auto scaled = rescaled(graph, {{"a", 2}, {"b", 4}, {"Mul:0", 2}});
  std::map<std::string, float> scales;
  for (const Node& node : scaled->nodes()) scales[node.op] = scale_of(node);
  EXPECT_EQ(scales["silu"], 0.25F);
  EXPECT_EQ(scales["sigmoid"], 0.0625F);
  EXPECT_EQ(scales["Mul"], 1.0F);
  EXPECT_EQ(outputs_of(*scaled), outputs_of(graph));
}

TEST(Rescaled, InputsAndOutputsKeepTheirNumbersByAMul) {
  Graph graph("edges");
  graph.add_output(named(add(input(graph, "hidden"), layer(input(graph, "x"), "layer", 1)), "sum"), "y");
  const auto scaled = rescaled(graph, {{"y", 6}});
  EXPECT_EQ(count(*scaled, "Mul"), 2u) << "one where the stream begins, one where it ends";
  EXPECT_EQ(outputs_of(*scaled), outputs_of(graph));
}

TEST(Rescaled, SeamsBetweenPartsCarryTheScaledNumbers) {
  Graph graph("part");
  graph.add_output(add(input(graph, "hidden"), layer(input(graph, "x"), "layer", 1)), "y");
  const auto scaled = rescaled(graph, {{"hidden", 6}}, {"hidden", "y"});
  EXPECT_EQ(count(*scaled, "Mul"), 0u);
  std::map<std::string, Numbers> inputs = kInputs;
  for (float& number : inputs["hidden"]) number /= 64;
  Numbers expected = outputs_of(graph);
  for (float& number : expected) number /= 64;
  EXPECT_EQ(Calculator(*scaled).run(inputs), expected);
}

}  // namespace
}  // namespace fastvlm::ops
