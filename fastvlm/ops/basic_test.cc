#include "fastvlm/ops/basic.h"

#include <gtest/gtest.h>

#include <functional>

#include "fastvlm/base/model_error.h"

namespace fastvlm::ops {
namespace {

// Inputs by their shape.
struct Page {
  Graph graph{"g"};
  int count = 0;
  Value operator()(Dims dims, Dtype dtype = Dtype::kFloat32) {
    return graph.add_input("x" + std::to_string(count++), dtype, std::move(dims));
  }
};

std::string shape_of(Value value) { return to_string(value.dims()); }

TEST(BasicOps, InferTheShapesOfOnnx) {
  struct Case {
    const char* what;
    std::function<Value(Page&)> make;
    const char* shape;
  };
  const Case cases[] = {
      {"add", [](Page& p) { return add(p({2, 3}), p({2, 3})); }, "[2, 3]"},
      {"broadcast from the right", [](Page& p) { return mul(p({4, 2, 3}), p({3})); }, "[4, 2, 3]"},
      {"broadcast both ways", [](Page& p) { return sub(p({1, 2, 1}), p({5, 1, 3})); }, "[5, 2, 3]"},
      {"broadcast to the longer second", [](Page& p) { return div(p({3}), p({2, 3})); }, "[2, 3]"},
      {"broadcast a symbol", [](Page& p) { return add(p({"b", 3}), p({1, 3})); }, "[b, 3]"},
      {"where", [](Page& p) { return where(p({2, 1}, Dtype::kBool), p({}), p({3})); }, "[2, 3]"},
      {"matmul", [](Page& p) { return matmul(p({2, 3}), p({3, 5})); }, "[2, 5]"},
      {"matmul of batches", [](Page& p) { return matmul(p({"b", 1, "n", 8}), p({4, 8, 5})); }, "[b, 4, n, 5]"},
      {"gemm", [](Page& p) { return gemm_transposed(p({2, 3}), p({7, 3})); }, "[2, 7]"},
      {"transpose", [](Page& p) { return transpose(p({"b", 2, 3}), {2, 0, 1}); }, "[3, b, 2]"},
      {"reshape", [](Page& p) { return reshape(p({"b", 6}), {"b", 2, 3}); }, "[b, 2, 3]"},
      {"split", [](Page& p) { return split(p({4, 6}), -1, std::vector<std::int64_t>{2, 4})[1]; }, "[4, 4]"},
      {"split evenly", [](Page& p) { return split_evenly(p({6, 4}), 0, 3)[2]; }, "[2, 4]"},
      {"concat", [](Page& p) { return concat({p({2, 3}), p({2, 5}), p({2, 1})}, 1); }, "[2, 9]"},
      {"concat of symbols", [](Page& p) { return concat({p({1, "v"}), p({1, "t"}), p({1, 2})}, -1); }, "[1, v+t+2]"},
      {"mean", [](Page& p) { return reduce_mean_last(p({"b", 4, 6})); }, "[b, 4, 1]"},
      {"pool", [](Page& p) { return global_average_pool(p({"b", 5, 7, 7})); }, "[b, 5, 1, 1]"},
      {"gather", [](Page& p) { return gather_rows(p({100, 8}), p({"b", "n"}, Dtype::kInt64)); }, "[b, n, 8]"},
      {"conv", [](Page& p) { return conv(p({"b", 4, 8, 9}), p({6, 4, 3, 3}), p({6}), {.stride = 2, .padding = 1}); }, "[b, 6, 4, 5]"},
      {"depthwise conv", [](Page& p) { return conv(p({1, 4, 8, 8}), p({4, 1, 7, 7}), {}, {.stride = 1, .padding = 3, .groups = 4}); },
       "[1, 4, 8, 8]"},
      {"range", [](Page& p) { return range_along(p({1, "n", 3}), 1); }, "[n]"},
      {"unsqueeze", [](Page& p) { return unsqueeze(p({"n", 3}), {1, 3}); }, "[n, 1, 3, 1]"},
      {"layer norm", [](Page& p) { return layer_normalization(p({2, 4}), p({4}), p({4}), 1e-5f); }, "[2, 4]"},
  };
  for (const Case& c : cases) {
    Page page;
    EXPECT_EQ(shape_of(c.make(page)), c.shape) << c.what;
  }
}

TEST(BasicOps, AMisfitNamesOpModuleAndShapes) {
  struct Case {
    std::function<void(Page&)> make;
    const char* message;  // behind the module
  };
  const Case cases[] = {
      {[](Page& p) { add(p({2, 3}), p({2, 4})); }, "[Add] model.mlp: shapes [2, 3] and [2, 4] do not go together"},
      {[](Page& p) { sub(p({"n"}), p({"m"})); }, "[Sub] model.mlp: shapes [n] and [m] do not go together"},
      {[](Page& p) { mul(p({2}), p({2}, Dtype::kFloat16)); }, "[Mul] model.mlp: types differ: float32 and float16"},
      {[](Page& p) { where(p({4}, Dtype::kBool), p({3}), p({3})); }, "[Where] model.mlp: shapes [3] and [4] do not go together"},
      {[](Page& p) { where(p({3}, Dtype::kBool), p({3}), p({3}, Dtype::kFloat16)); },
       "[Where] model.mlp: types differ: float32 and float16"},
      {[](Page& p) { greater(p({3}), p({3}, Dtype::kInt64)); }, "[Greater] model.mlp: types differ: float32 and int64"},
      {[](Page& p) { matmul(p({2, 3}), p({4, 5})); }, "[MatMul] model.mlp: shapes [2, 3] and [4, 5] do not go together"},
      {[](Page& p) { matmul(p({3}), p({3, 5})); }, "[MatMul] model.mlp: shapes [3] and [3, 5] do not go together"},
      {[](Page& p) { matmul(p({2, 2, 3}), p({5, 3, 5})); }, "[MatMul] model.mlp: shapes [2] and [5] do not go together"},
      {[](Page& p) { matmul(p({2, 3}), p({3, 5}, Dtype::kFloat16)); }, "[MatMul] model.mlp: types differ: float32 and float16"},
      {[](Page& p) { gemm_transposed(p({2, 3}), p({3, 7})); },
       "[Gemm] model.mlp: shapes [2, 3] and [3, 7] (transposed) do not go together"},
      {[](Page& p) { transpose(p({2, 3}), {0, 2, 1}); }, "[Transpose] model.mlp: 3 axes for shape [2, 3]"},
      {[](Page& p) { transpose(p({2, 3}), {0, 2}); }, "[Transpose] model.mlp: axes [0, 2] for shape [2, 3]"},
      {[](Page& p) { transpose(p({2, 3}), {1, 1}); }, "[Transpose] model.mlp: axes [1, 1] for shape [2, 3]"},
      {[](Page& p) { reshape(p({2, 3}), {2, 4}); }, "[Reshape] model.mlp: [2, 3] has other elements than [2, 4]"},
      {[](Page& p) { reshape(p({"a", "b"}), {"c", "d"}); }, "[Reshape] model.mlp: [a, b] to [c, d] leaves more than one extent open"},
      {[](Page& p) { split(p({2, 6}), 1, std::vector<std::int64_t>{2, 3}); }, "[Split] model.mlp: parts of 5 in all for axis 1 of [2, 6]"},
      {[](Page& p) { split(p({2, 6}), 2, std::vector<std::int64_t>{6}); }, "[Split] model.mlp: axis 2 of a value with shape [2, 6]"},
      {[](Page& p) { split_evenly(p({2, 6}), 1, 4); }, "[Split] model.mlp: axis 1 of [2, 6] into 4 equal parts"},
      {[](Page& p) { split_evenly(p({2, "n"}), 1, 2); }, "[Split] model.mlp: axis 1 of [2, n] into 2 equal parts"},
      {[](Page& p) { concat({p({2, 3}), p({3, 3})}, 1); }, "[Concat] model.mlp: [3, 3] beside [2, 3] on axis 1"},
      {[](Page& p) { concat({p({2, 3}), p({2, 3, 1})}, 1); }, "[Concat] model.mlp: rank or type of part 1 differs"},
      {[](Page& p) { global_average_pool(p({2, 3, 4})); }, "[GlobalAveragePool] model.mlp: a map [B, C, H, W] is needed, not [2, 3, 4]"},
      {[](Page& p) { gather_rows(p({2, 3, 4}), p({1}, Dtype::kInt64)); },
       "[Gather] model.mlp: a table [rows, width] is needed, not [2, 3, 4]"},
      {[](Page& p) { gather_rows(p({2, 3}), p({1})); }, "[Gather] model.mlp: ids must be int64 or int32, not float32"},
      {[](Page& p) { layer_normalization(p({2, 4}), p({3}), p({3}), 0); }, "[LayerNormalization] model.mlp: scale [3] for input [2, 4]"},
      {[](Page& p) { simplified_layer_normalization(p({2, 4}), p({1, 4}), 0); },
       "[SimplifiedLayerNormalization] model.mlp: scale [1, 4] for input [2, 4]"},
      {[](Page& p) { conv(p({1, 4, 8, 8}), p({6, 3, 3, 3}), {}, {}); },
       "[Conv] model.mlp: weight [6, 3, 3, 3] in 1 groups for input [1, 4, 8, 8]"},
      {[](Page& p) { conv(p({1, 4, 8, 8}), p({6, 1, 3, 3}), {}, {.groups = 4}); },
       "[Conv] model.mlp: weight [6, 1, 3, 3] in 4 groups for input [1, 4, 8, 8]"},
      {[](Page& p) { conv(p({1, 4, "h", 8}), p({6, 4, 3, 3}), {}, {}); },
       "[Conv] model.mlp: height and width must be known, not [1, 4, h, 8]"},
      {[](Page& p) { conv(p({1, 4, 2, 8}), p({6, 4, 3, 3}), {}, {}); },
       "[Conv] model.mlp: a kernel of 3 is larger than the input [1, 4, 2, 8]"},
      {[](Page& p) { conv(p({1, 4, 8, 8}), p({6, 4, 3, 3}), p({5}), {}); }, "[Conv] model.mlp: bias [5] for weight [6, 4, 3, 3]"},
      {[](Page& p) { range_along(p({1, 2}), 2); }, "[Range] model.mlp: axis 2 of a value with shape [1, 2]"},
  };
  for (const Case& c : cases) {
    Page page;
    Scope scope(page.graph, "model.mlp");
    try {
      c.make(page);
      ADD_FAILURE() << "no error: " << c.message;
    } catch (const ModelError& error) {
      EXPECT_STREQ(error.what(), c.message);
    }
    EXPECT_TRUE(page.graph.nodes().empty()) << "nothing is made: " << c.message;
  }
}

TEST(BasicOps, WhatChangesNothingMakesNoNode) {
  Page page;
  Value x = page({2, 4});
  EXPECT_EQ(cast(x, Dtype::kFloat32).index(), x.index());
  EXPECT_EQ(concat({x}, 0).index(), x.index());
  EXPECT_EQ(split_evenly(x, 0, 1)[0].index(), x.index());
  EXPECT_TRUE(page.graph.nodes().empty());
}

TEST(BasicOps, AReshapeWritesSymbolsAsZeroInPlaceAndMinusOneElsewhere) {
  struct Case {
    Dims from, to;
    std::vector<std::int64_t> target;
  };
  const Case cases[] = {{{"b", "n", 6}, {"b", "n", 2, 3}, {0, 0, 2, 3}},
                        {{"b", 4, 6}, {"b", 24}, {0, 24}},
                        {{"b", 4, "n"}, {"b", "4n"}, {0, -1}},
                        {{2, 6}, {3, 4}, {3, 4}}};
  for (const Case& c : cases) {
    Page page;
    reshape(page(c.from), c.to);
    const Tensor& target = *page.graph.value(page.graph.nodes()[0].inputs[1]).constant;
    EXPECT_EQ(std::vector<std::int64_t>(target.int64s().begin(), target.int64s().end()), c.target) << to_string(c.to);
  }
}

TEST(BasicOps, NodesCarryTheAttributesOfOnnx) {
  Page page;
  conv(page({1, 4, 8, 8}), page({4, 2, 3, 3}), {}, {.stride = 2, .padding = 1, .groups = 2});
  const Node& node = page.graph.nodes()[0];
  EXPECT_EQ(node.integer("group"), 2);
  EXPECT_EQ(std::get<std::vector<std::int64_t>>(node.attributes.at("pads")), (std::vector<std::int64_t>{1, 1, 1, 1}));
  EXPECT_EQ(std::get<std::vector<std::int64_t>>(node.attributes.at("strides")), (std::vector<std::int64_t>{2, 2}));
  EXPECT_EQ(node.inputs.size(), 2u) << "no bias, no input";
  cast(page({1}), Dtype::kFloat16);
  EXPECT_EQ(page.graph.nodes()[1].integer("to"), 10);
}

}  // namespace
}  // namespace fastvlm::ops
