#include "fastvlm/quant/activation_encodings.h"

#include <gtest/gtest.h>

namespace fastvlm {
namespace {

// Two inputs, their sum, its RMS norm.
struct Stream {
  Graph graph{"stream"};
  Ranges ranges;
  Stream(float least, float most) {
    const Value x = graph.add_input("x", Dtype::kFloat32, {1, 2, 4}), y = graph.add_input("y", Dtype::kFloat32, {1, 2, 4});
    const Value sum = graph.add_node("", "Add", {x, y}, {{Dtype::kFloat32, {1, 2, 4}}})[0];
    graph.rename(sum, "sum");
    const Value weight = graph.add_constant(Tensor::of_floats({4}, std::vector<float>(4, 1.0F)));
    const Value norm = graph.add_node("", "SimplifiedLayerNormalization", {sum, weight}, {{Dtype::kFloat32, {1, 2, 4}}})[0];
    graph.add_output(norm, "norm");
    for (const char* name : {"x", "y", "norm"}) ranges.values[name].observe(pair(-1, 1));
    ranges.values["sum"].observe(pair(least, most));
  }
  static std::vector<float> pair(float least, float most) { return {least, most}; }
  std::string refusal(const IntegerForm& form) const {
    const auto encoded = encode_activations(graph, ranges, form);
    return encoded.ok() ? "" : encoded.error().message;
  }
};

TEST(ActivationEncodings, AStreamMayReachWhatIsAllowedAndNoMoreOnEitherSide) {
  EXPECT_EQ(Stream(-1, 8188).refusal({.largest_float = 8188}), "");
  EXPECT_NE(Stream(-1, 8189).refusal({.largest_float = 8188}).find("\"sum\" of stream reaches 8189"), std::string::npos);
  EXPECT_NE(Stream(-8189, 1).refusal({.largest_float = 8188}).find("8188 is allowed by `range_share`"), std::string::npos);
  EXPECT_EQ(Stream(-60000, 1).refusal({}), "");
}

TEST(ActivationEncodings, EachHasTheMarginOfItsBits) {
  Graph graph("product");
  const Value x = graph.add_input("x", Dtype::kFloat32, {2, 4}), y = graph.add_input("y", Dtype::kFloat32, {4, 2});
  graph.add_output(graph.add_node("", "MatMul", {x, y}, {{Dtype::kFloat32, {2, 2}}})[0], "z");
  Ranges ranges;
  for (const char* name : {"x", "y", "z"}) ranges.values[name].observe(Stream::pair(-1, 1));
  for (const auto& [second, largest] : {std::pair(Dtype::kInt16, 3.0F), std::pair(Dtype::kUint8, 1.5F)}) {
    const auto made = encode_activations(graph, ranges, {.margin = 3, .byte_margin = 1.5F, .second_operand = second});
    ASSERT_TRUE(made.ok()) << made.error().message;
    EXPECT_EQ(made->encodings[0], encoding_of({-3, 3}, Dtype::kUint16));
    EXPECT_EQ(made->encodings[1], encoding_of({-largest, largest}, second));
    EXPECT_EQ(made->made_as[1], encoding_of({-largest, largest}, Dtype::kUint16));
  }
}

}  // namespace
}  // namespace fastvlm
