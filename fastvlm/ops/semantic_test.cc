#include "fastvlm/ops/semantic.h"

#include <gtest/gtest.h>

#include <functional>

#include "fastvlm/base/model_error.h"

namespace fastvlm::ops {
namespace {

struct Page {
  Graph graph{"g"};
  int count = 0;
  Value operator()(Dims dims, Dtype dtype = Dtype::kFloat32) {
    return graph.add_input("x" + std::to_string(count++), dtype, std::move(dims));
  }
};

WeightPtr weight(Shape shape) {
  std::vector<float> zeros(static_cast<std::size_t>(element_count(shape)));
  return Weight::of_values(std::move(shape), std::move(zeros), "zeros");
}

constexpr RotaryAttentionOptions kHeads = {.heads = 4, .key_value_heads = 2, .head_dim = 8};

Positions cached_positions(Page& p, std::int64_t tokens, std::int64_t columns) {
  return {.cos = p({1, 1, tokens, 4}), .sin = p({1, 1, tokens, 4}), .mask = p({1, 1, tokens, columns})};
}

TEST(SemanticOps, KeepTheirMeaningInOneNodeWithParametersOfTheModule) {
  Page page;
  Scope scope(page.graph, "model.layers.0.mlp.up_proj");
  Value y = linear(page({"b", "n", 4}), weight({6, 4}), weight({6}));
  EXPECT_EQ(to_string(y.dims()), "[b, n, 6]");
  ASSERT_EQ(page.graph.nodes().size(), 1u);
  const Node& node = page.graph.nodes()[0];
  EXPECT_EQ(node.domain, kSemanticDomain);
  EXPECT_EQ(node.op, "linear");
  EXPECT_EQ(page.graph.value(node.inputs[1]).name, "model.layers.0.mlp.up_proj.weight");
  EXPECT_EQ(page.graph.value(node.inputs[2]).name, "model.layers.0.mlp.up_proj.bias");
}

TEST(SemanticOps, InferTheirShapes) {
  struct Case {
    const char* what;
    std::function<Value(Page&)> make;
    const char* shape;
  };
  const Case cases[] = {
      {"linear without bias", [](Page& p) { return linear(p({2, 4}), weight({6, 4})); }, "[2, 6]"},
      {"gelu", [](Page& p) { return gelu(p({"b", 4})); }, "[b, 4]"},
      {"silu", [](Page& p) { return silu(p({"b", 4})); }, "[b, 4]"},
      {"sigmoid", [](Page& p) { return sigmoid(p({"b", 4})); }, "[b, 4]"},
      {"rms norm", [](Page& p) { return rms_norm(p({"b", 4}), weight({4}), 1e-6); }, "[b, 4]"},
      {"layer norm", [](Page& p) { return layer_norm(p({"b", 4}), weight({4}), weight({4}), 1e-5); }, "[b, 4]"},
      {"convolution", [](Page& p) { return conv2d(p({"b", 3, 8, 8}), {weight({5, 3, 3, 3}), weight({5})}, {.stride = 2, .padding = 1}); },
       "[b, 5, 4, 4]"},
      {"tokens", [](Page& p) { return tokens_of_map(p({"b", 7, 2, 3})); }, "[b, 6, 7]"},
      {"map", [](Page& p) { return map_of_tokens(p({"b", 6, 7}), 2, 3); }, "[b, 7, 2, 3]"},
      {"attention", [](Page& p) { return self_attention(p({"b", 6, 8}), p({"b", 6, 8}), p({"b", 6, 8}), 2); }, "[b, 6, 8]"},
      {"embedding", [](Page& p) { return embedding(p({"b", "n"}, Dtype::kInt64), weight({10, 4})); }, "[b, n, 4]"},
      {"logits", [](Page& p) { return vocabulary_logits(p({"b", "n", 4}), weight({10, 4})); }, "[b, n, 10]"},
      {"positions", [](Page& p) { return causal_positions(p({"b", "n", 4}), 8, 1e6).mask; }, "[n, n]"},
      {"angles", [](Page& p) { return causal_positions(p({"b", "n", 4}), 8, 1e6).cos; }, "[n, 4]"},
      {"rotary attention",
       [](Page& p) {
         Value q = p({"b", "n", 32});
         return rotary_attention(q, p({"b", "n", 16}), p({"b", "n", 16}), causal_positions(q, 8, 1e6), kHeads);
       },
       "[b, n, 32]"},
      {"cached attention",
       [](Page& p) {
         return cached_rotary_attention(p({1, 3, 32}), p({1, 3, 16}), p({1, 3, 16}), cached_positions(p, 3, 8),
                                        {p({2, 1, 8, 5}), p({2, 1, 5, 8})}, kHeads)
             .key;
       },
       "[2, 1, 8, 3]"},
  };
  for (const Case& c : cases) {
    Page page;
    EXPECT_EQ(to_string(c.make(page).dims()), c.shape) << c.what;
  }
}

TEST(SemanticOps, AMisfitNamesOpModuleAndShapes) {
  auto cached = [](Page& p, Dims key, Dims value, Dims mask) {
    Positions positions = {.cos = p({1, 1, 3, 4}), .sin = p({1, 1, 3, 4}), .mask = p(std::move(mask))};
    cached_rotary_attention(p({1, 3, 32}), p({1, 3, 16}), p({1, 3, 16}), positions, {p(std::move(key)), p(std::move(value))}, kHeads);
  };
  struct Case {
    std::function<void(Page&)> make;
    const char* message;
  };
  const Case cases[] = {
      {[](Page& p) { linear(p({2, 5}), weight({6, 4})); }, "[linear] m: weight [6, 4] for input [2, 5]"},
      {[](Page& p) { linear(p({2, "n"}), weight({6, 4})); }, "[linear] m: weight [6, 4] for input [2, n]"},
      {[](Page& p) { linear(p({2, 4}), weight({6, 4, 1})); }, "[linear] m: weight [6, 4, 1] for input [2, 4]"},
      {[](Page& p) { linear(p({2, 4}), weight({6, 4}), weight({4})); }, "[linear] m: bias [4] for weight [6, 4]"},
      {[](Page& p) { rms_norm(p({2, 4}), weight({5}), 0); }, "[rms_norm] m: scale [5] for input [2, 4]"},
      {[](Page& p) { layer_norm(p({2, 4}), weight({5}), weight({5}), 0); }, "[LayerNormalization] m: scale [5] for input [2, 4]"},
      {[](Page& p) { tokens_of_map(p({1, 2, "h", 4})); }, "[tokens_of_map] m: a map of known size is needed, not [1, 2, h, 4]"},
      {[](Page& p) { tokens_of_map(p({1, 2, 3})); }, "[tokens_of_map] m: a map of known size is needed, not [1, 2, 3]"},
      {[](Page& p) { map_of_tokens(p({1, 6, 7}), 2, 4); }, "[map_of_tokens] m: 2 x 4 places for tokens [1, 6, 7]"},
      {[](Page& p) { map_of_tokens(p({1, 6}), 2, 3); }, "[map_of_tokens] m: 2 x 3 places for tokens [1, 6]"},
      {[](Page& p) { self_attention(p({1, 6, 8}), p({1, 5, 8}), p({1, 5, 8}), 2); },
       "[self_attention] m: q [1, 6, 8], k [1, 5, 8], v [1, 5, 8] in 2 heads"},
      {[](Page& p) { self_attention(p({1, 6, 8}), p({1, 6, 8}), p({1, 6, 8}), 3); },
       "[self_attention] m: q [1, 6, 8], k [1, 6, 8], v [1, 6, 8] in 3 heads"},
      {[](Page& p) { embedding(p({1, 2}, Dtype::kInt64), weight({10})); },
       "[embedding] m: a table [vocabulary, width] is needed, not [10]"},
      {[](Page& p) { vocabulary_logits(p({1, 2, 5}), weight({10, 4})); }, "[vocabulary_logits] m: table [10, 4] for input [1, 2, 5]"},
      {[](Page& p) { rotary_attention(p({1, 2, 31}), p({1, 2, 16}), p({1, 2, 16}), {}, kHeads); },
       "[rotary_attention] m: q is [1, 2, 31] for 4 heads of 8"},
      {[](Page& p) { rotary_attention(p({1, 2, 32}), p({1, 2, 8}), p({1, 2, 8}), {}, kHeads); },
       "[rotary_attention] m: k is [1, 2, 8], v is [1, 2, 8] for 2 heads of 8"},
      {[](Page& p) {
         rotary_attention(p({1, 2, 32}), p({1, 2, 24}), p({1, 2, 24}), {}, {.heads = 4, .key_value_heads = 3, .head_dim = 8});
       },
       "[rotary_attention] m: 4 heads over 3 key/value heads"},
      {[&](Page& p) { cached(p, {2, 1, 8, 5}, {2, 1, 4, 8}, {1, 1, 3, 8}); },
       "[cached_rotary_attention] m: past key [2, 1, 8, 5] and value [2, 1, 4, 8]"},
      {[&](Page& p) { cached(p, {2, 1, 5, 8}, {2, 1, 5, 8}, {1, 1, 3, 8}); },
       "[cached_rotary_attention] m: past key [2, 1, 5, 8] and value [2, 1, 5, 8]"},
      {[&](Page& p) { cached(p, {2, 8, 5}, {2, 5, 8}, {1, 1, 3, 8}); },
       "[cached_rotary_attention] m: past key [2, 8, 5] and value [2, 5, 8]"},
      {[&](Page& p) { cached(p, {2, 1, 8, 5}, {2, 1, 5, 8}, {1, 1, 3, 5}); },
       "[cached_rotary_attention] m: mask [1, 1, 3, 5] for 3 tokens behind 5 slots"},
  };
  for (const Case& c : cases) {
    Page page;
    Scope scope(page.graph, "m");
    try {
      c.make(page);
      ADD_FAILURE() << "no error: " << c.message;
    } catch (const ModelError& error) {
      EXPECT_STREQ(error.what(), c.message);
    }
  }
}

}  // namespace
}  // namespace fastvlm::ops
