#include "fastvlm/ops/reference.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "fastvlm/ops/semantic.h"

namespace fastvlm::ops {
namespace {

TEST(RotaryTables, HoldTheAnglesOfThePaper) {
  constexpr std::int64_t kHeadDim = 8;
  RotaryTables tables = rotary_tables(5, 3, kHeadDim, 10000);
  ASSERT_EQ(tables.cos.size(), 12u);
  ASSERT_EQ(tables.sin.size(), 12u);
  for (std::int64_t p = 0; p < 3; ++p)
    for (std::int64_t j = 0; j < 4; ++j) {
      const double angle = static_cast<double>(5 + p) * std::pow(10000.0, -2.0 * static_cast<double>(j) / kHeadDim);
      EXPECT_NEAR(tables.cos[static_cast<std::size_t>(4 * p + j)], std::cos(angle), 1e-6);
      EXPECT_NEAR(tables.sin[static_cast<std::size_t>(4 * p + j)], std::sin(angle), 1e-6);
    }
}

TEST(RotaryTables, APieceIsTheSameAsThatPartOfTheWhole) {
  RotaryTables whole = rotary_tables(0, 10, 4, 1e6), piece = rotary_tables(7, 3, 4, 1e6);
  EXPECT_EQ(piece.cos, std::vector<float>(whole.cos.begin() + 14, whole.cos.end()));
  EXPECT_EQ(piece.sin, std::vector<float>(whole.sin.begin() + 14, whole.sin.end()));
}

TEST(ReferenceExpansions, UseTheDefaultDomainOnly) {
  Graph graph("model");
  Value x = graph.add_input("x", Dtype::kFloat32, {"b", "n", 8});
  const WeightPtr scale = Weight::of_values({8}, std::vector<float>(8, 1.0f), "ones");
  Value y = rms_norm(silu(gelu(x)), scale, 1e-6);
  y = rotary_attention(y, y, y, causal_positions(y, 4, 1e6), {.heads = 2, .key_value_heads = 2, .head_dim = 4});
  y = vocabulary_logits(y, Weight::of_values({3, 8}, std::vector<float>(24, 1.0f), "ones"));
  graph.add_output(y, "y");
  auto expanded = expand(graph, reference_expansions());
  EXPECT_GT(expanded->nodes().size(), 20u);
  for (const Node& node : expanded->nodes()) EXPECT_EQ(node.domain, "") << node.op;
}

TEST(ReferenceExpansions, TheMaskHidesEveryLaterPosition) {
  for (Dtype dtype : {Dtype::kFloat32, Dtype::kFloat16}) {
    Graph graph("model");
    Positions positions = causal_positions(graph.add_input("x", dtype, {1, 3, 8}), 4, 1e6);
    graph.add_output(relu(positions.mask), "y");
    auto expanded = expand(graph, reference_expansions());
    const Tensor& mask = *expanded->value(expanded->nodes()[0].inputs[0]).constant;
    ASSERT_EQ(mask.shape, (Shape{3, 3}));
    const double hidden = dtype == Dtype::kFloat16 ? -65504.0 : std::numeric_limits<float>::lowest();
    for (std::size_t i = 0; i < 9; ++i) {
      const double value = dtype == Dtype::kFloat32
                               ? mask.floats()[i]
                               : (mask.as<std::uint16_t>(dtype)[i] == 0xFBFF ? -65504.0 : mask.as<std::uint16_t>(dtype)[i]);
      EXPECT_EQ(value, i % 3 > i / 3 ? hidden : 0.0) << i;
    }
  }
}

}  // namespace
}  // namespace fastvlm::ops
