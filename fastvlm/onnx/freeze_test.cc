#include "fastvlm/onnx/freeze.h"

#include <gtest/gtest.h>

#include "fastvlm/onnx/model_file.h"
#include "fastvlm/onnx/text_models_for_tests.h"

namespace fastvlm {
namespace {

constexpr const char* kModel =
    "g (float[batch,3,side,side] x, int64[batch,n] ids, float[?] z) => (float[batch,3,side,side] y) { y = Relu(x) }";

Result<OnnxModel> frozen(const std::string& freezes, const std::string& text = kModel) {
  auto parsed = parse_freezes(freezes);
  if (!parsed) return parsed.error();
  const std::string bytes = onnx_from_text(text);
  return parse_onnx(as_bytes(bytes), "test", {.infer_shapes = false, .freezes = *parsed});
}

TEST(ParseFreezes, ANameThatStandsTwiceIsWrongUsage) {
  const auto twice = parse_freezes("batch=1,batch=2");
  ASSERT_FALSE(twice.ok());
  EXPECT_EQ(twice.error().kind, ErrorKind::kUsage);
  EXPECT_NE(twice.error().message.find("batch: is given more than once"), std::string::npos) << twice.error().message;
}

TEST(Freeze, ASymbolIsFixedWhereverItStands) {
  auto model = frozen("batch=1, n=7");
  ASSERT_TRUE(model.ok()) << model.error().message;
  EXPECT_EQ(model->inputs[1].type.dims, (Dims{1, 7}));
  EXPECT_EQ(to_string(model->outputs[0].type.dims), "[1, 3, side, side]");
}

TEST(Freeze, AnInputTakesItsSymbolsAlong) {
  auto model = frozen("x=2x3x224x224");
  ASSERT_TRUE(model.ok()) << model.error().message;
  EXPECT_EQ(model->outputs[0].type.dims, (Dims{2, 3, 224, 224}));
  EXPECT_EQ(to_string(model->inputs[1].type.dims), "[2, n]");
  EXPECT_EQ(frozen("z=5")->inputs[2].type.dims, (Dims{5}));
}

TEST(Freeze, WhatCannotBeIsWrongUsage) {
  struct Case {
    const char* freezes;
    const char* said;
  };
  for (const auto& [freezes, said] :
       {Case{"w=1", "no such symbol or input; it has symbols: batch, n, side; inputs: x, ids, z"},
        Case{"x=1x3", "the input has 4 extents, 2 are given"}, Case{"x=1x4x8x8", "extent 1 is fixed at 3 and cannot be 4"},
        Case{"x=1x3x8x9", "\"side\" is to be 8 and 9"}, Case{"batch", "write name=1x3x224x224"},
        Case{"batch=0", "is not a number of elements"}, Case{"batch=1x", "is not a number of elements"}}) {
    auto model = frozen(freezes);
    ASSERT_FALSE(model.ok()) << freezes;
    EXPECT_EQ(model.error().kind, ErrorKind::kUsage) << freezes;
    EXPECT_NE(model.error().message.find(said), std::string::npos) << model.error().message;
  }
}

TEST(InlineFunctions, ACallBecomesTheNodesOfItsBody) {
  const std::string text = R"(<ir_version: 8, opset_import: ["" : 17, "local" : 1]>
  g (float[2] x) => (float[2] y) { a = local.twice(x) y = local.twice(a) }
  <domain: "local", opset_import: ["" : 17]>
  twice (p) => (q) { one = Neg(p) q = Add(one, one) })";
  const std::string bytes = onnx_from_text(text);
  auto model = parse_onnx(as_bytes(bytes), "test", {.infer_shapes = false, .inline_functions = true});
  ASSERT_TRUE(model.ok()) << model.error().message;
  EXPECT_FALSE(model->has_functions);
  ASSERT_EQ(model->nodes.size(), 4u);
  EXPECT_EQ(model->nodes[0].op, "Neg");
  EXPECT_EQ(model->nodes[0].inputs, std::vector<std::string>{"x"});
  EXPECT_EQ(model->nodes[1].outputs, std::vector<std::string>{"a"});
  EXPECT_EQ(model->nodes[3].outputs, std::vector<std::string>{"y"});
  EXPECT_NE(model->nodes[0].outputs, model->nodes[2].outputs);
}

TEST(InlineFunctions, FunctionsThatCallThemselvesAreRefused) {
  const std::string text = R"(<ir_version: 8, opset_import: ["" : 17, "local" : 1]>
  g (float[2] x) => (float[2] y) { y = local.again(x) }
  <domain: "local", opset_import: ["" : 17, "local" : 1]>
  again (p) => (q) { q = local.again(p) })";
  const std::string bytes = onnx_from_text(text);
  auto model = parse_onnx(as_bytes(bytes), "test", {.infer_shapes = false, .inline_functions = true});
  ASSERT_FALSE(model.ok());
  EXPECT_NE(model.error().message.find("call each other"), std::string::npos);
}

}  // namespace
}  // namespace fastvlm
