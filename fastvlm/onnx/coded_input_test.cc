#include "fastvlm/onnx/coded_input.h"

#include <gtest/gtest.h>

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/onnx/model_file.h"
#include "fastvlm/onnx/text_models_for_tests.h"

namespace fastvlm {
namespace {

Result<OnnxModel> coded(const std::string& text, Encoding encoding) {
  FolderForTests folder;
  folder.write("m.onnx", onnx_from_text(text, {}));
  auto bytes = with_coded_input(folder.path() / "m.onnx", {.graph = "coded", .encoding = encoding});
  if (!bytes.ok()) return bytes.error();
  return parse_onnx(as_bytes(*bytes), "test");
}

TEST(CodedInput, CodesBecomeTheFloatsThatEveryUserOfTheInputTakes) {
  const auto model = coded("g (float[1,3] x) => (float[1,3] y) { a = Relu(x) y = Add(a, x) }", {.scale = 0.5F, .zero_point = 7});
  ASSERT_TRUE(model.ok()) << model.error().message;
  EXPECT_EQ(model->graph_name, "coded");
  EXPECT_EQ(model->inference_note, "");
  ASSERT_EQ(model->inputs.size(), 1u);
  EXPECT_EQ(model->inputs[0].name, "x");
  EXPECT_EQ(model->inputs[0].type.dtype, Dtype::kUint16);
  ASSERT_EQ(model->nodes.size(), 3u);
  EXPECT_EQ(operator_name(model->nodes[0].domain, model->nodes[0].op), "com.microsoft::DequantizeLinear");
  const std::string floats = model->nodes[0].outputs[0];
  EXPECT_EQ(model->nodes[1].inputs, std::vector<std::string>{floats});
  EXPECT_EQ(model->nodes[2].inputs[1], floats);
  EXPECT_EQ(model->opsets.at("com.microsoft"), 1);
}

TEST(CodedInput, RefusesWhatHasNotOneFloatInput) {
  EXPECT_FALSE(coded("g (float[2] x, float[2] z) => (float[2] y) { y = Add(x, z) }", {}).ok());
  EXPECT_FALSE(coded("g (float16[2] x) => (float16[2] y) { y = Relu(x) }", {}).ok());
  EXPECT_FALSE(coded("g (float[2] x) => (float[2] y) { y = Relu(x) }", {.dtype = Dtype::kUint8}).ok());
}

}  // namespace
}  // namespace fastvlm
