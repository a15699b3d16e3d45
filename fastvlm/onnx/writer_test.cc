#include "fastvlm/onnx/writer.h"

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/onnx/data_writer.h"
#include "fastvlm/onnx/validate.h"

namespace fastvlm {
namespace {

WeightPtr ramp(Shape shape) {
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) / 8;
  return Weight::of_values(std::move(shape), std::move(values), "ramp");
}

// y = clip(transpose(x · large + small)), with an external weight, an inline one and a constant.
std::unique_ptr<Graph> model() {
  auto graph = std::make_unique<Graph>("model");
  Value x = graph->add_input("x", Dtype::kFloat32, {"batch", 32});
  Value large = graph->add_weight(ramp({32, 16}), "large"), small = graph->add_weight(ramp({16}), "small");
  const float low[] = {-1.0f};
  Value limit = graph->add_constant(Tensor::of_floats({}, low));
  auto node = [&](const char* op, std::vector<Value> inputs, Dims dims, Attributes attributes = {}) {
    return graph->add_node("", op, std::move(inputs), {{Dtype::kFloat32, std::move(dims)}}, std::move(attributes))[0];
  };
  Value y = node("Add", {node("MatMul", {x, large}, {"batch", 16}), small}, {"batch", 16});
  y = node("Transpose", {y}, {16, "batch"}, {{"perm", std::vector<std::int64_t>{1, 0}}});
  y = node("LeakyRelu", {node("Clip", {y, Value(), limit}, {16, "batch"})}, {16, "batch"}, {{"alpha", 0.5f}});
  graph->add_weight(ramp({5, 5}), "not used by any node");
  graph->add_output(y, "y");
  return graph;
}

TEST(OnnxWriter, WhatItWritesIsReadBackAndIsValid) {
  FolderForTests folder;
  auto graph = model();
  DataLayout layout;
  layout.place_graph(*graph, "model.onnx.data");
  Progress silent;
  ASSERT_TRUE(write_data_files(layout, folder.path(), {.threads = 1}, silent).ok());
  auto bytes = to_onnx(*graph, layout, {.producer_version = "1.2"});
  ASSERT_TRUE(bytes.ok());
  const Path path = folder.write("model.onnx", *bytes);

  auto findings = validate_onnx(path, {.require_aligned_data = true});
  ASSERT_TRUE(findings.ok()) << findings.error().message;
  for (const Finding& finding : *findings) ADD_FAILURE() << finding.subject << ": " << finding.message;

  auto read = read_onnx(path);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->ir_version, 8);
  EXPECT_EQ(read->opsets, (std::map<std::string, std::int64_t>{{"", 17}}));
  EXPECT_EQ(read->producer, "fastvlm-npu 1.2");
  EXPECT_EQ(read->graph_name, "model");
  ASSERT_EQ(read->inputs.size(), 1u);
  EXPECT_EQ(to_string(read->inputs[0].type.dims), "[batch, 32]");
  EXPECT_EQ(to_string(read->outputs[0].type.dims), "[16, batch]");
  ASSERT_EQ(read->nodes.size(), 5u);
  EXPECT_EQ(read->nodes[2].op, "Transpose");
  EXPECT_EQ(std::get<std::vector<std::int64_t>>(read->nodes[2].attributes.at("perm")), (std::vector<std::int64_t>{1, 0}));
  ASSERT_EQ(read->nodes[3].inputs.size(), 3u);
  EXPECT_EQ(read->nodes[3].inputs[1], "") << "an optional input left out";
  EXPECT_EQ(read->nodes[4].real("alpha", 0), 0.5f);

  ASSERT_EQ(read->initializers.size(), 3u) << "a weight that no node uses is not written";
  for (const OnnxInitializer& initializer : read->initializers) {
    EXPECT_EQ(initializer.external.has_value(), initializer.name == "large") << initializer.name;
    if (initializer.external) {
      EXPECT_EQ(initializer.external->location, "model.onnx.data");
      EXPECT_EQ(initializer.external->offset, 0u);
      EXPECT_EQ(initializer.external->length, 32u * 16 * 4);
    }
    if (initializer.name == "small") {
      EXPECT_EQ(initializer.constant->floats()[8], 1.0f);
    }
  }
}

TEST(OnnxWriter, TheSameGraphGivesTheSameBytes) {
  DataLayout layout;
  layout.place_graph(*model(), "model.onnx.data");
  EXPECT_EQ(to_onnx(*model(), layout, {}).value(), to_onnx(*model(), layout, {}).value());
}

TEST(OnnxWriter, OtherDomainsAreImportedAndInlineWeightsHaveTheirType) {
  Graph graph("half");
  Value x = graph.add_input("x", Dtype::kFloat16, {1, 4});
  Value w = graph.add_weight(ramp({4}), "w", Dtype::kFloat16);
  Value sum = graph.add_node("", "Add", {x, w}, {{Dtype::kFloat16, {1, 4}}})[0];
  graph.add_output(graph.add_node(kMicrosoftDomain, "Gelu", {sum}, {{Dtype::kFloat16, {1, 4}}})[0], "y");
  auto bytes = to_onnx(graph, {}, {.opset = 18, .ir_version = 9});
  ASSERT_TRUE(bytes.ok());
  auto read = parse_onnx(as_bytes(*bytes), "half");
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->opsets, (std::map<std::string, std::int64_t>{{"", 18}, {"com.microsoft", 1}}));
  EXPECT_EQ(read->ir_version, 9);
  ASSERT_EQ(read->initializers.size(), 1u);
  EXPECT_EQ(read->initializers[0].dtype, Dtype::kFloat16);
  EXPECT_EQ(read->initializers[0].constant->as<std::uint16_t>(Dtype::kFloat16)[2], float_to_float16(0.25f));
}

TEST(OnnxWriter, AnInlineWeightThatCannotBeReadIsItsError) {
  Graph graph("g");
  Value x = graph.add_input("x", Dtype::kFloat32, {2});
  Value w = graph.add_weight(
      Weight::computed({2}, []() -> Result<std::vector<float>> { return bad_input("tensor \"t\" is cut off"); }, {"t"}, ""), "w");
  graph.add_output(graph.add_node("", "Add", {x, w}, {{Dtype::kFloat32, {2}}})[0], "y");
  auto bytes = to_onnx(graph, {}, {});
  ASSERT_FALSE(bytes.ok());
  EXPECT_EQ(bytes.error().message, "tensor \"t\" is cut off");
}

TEST(OnnxWriterDeathTest, ASemanticNodeLeftInTheGraphIsOurBug) {
  Graph graph("g");
  Value x = graph.add_input("x", Dtype::kFloat32, {2});
  graph.add_output(graph.add_node(kSemanticDomain, "gelu", {x}, {{Dtype::kFloat32, {2}}})[0], "y");
  EXPECT_DEATH((void)to_onnx(graph, {}, {}), "every semantic node is expanded before it is written");
}

}  // namespace
}  // namespace fastvlm
