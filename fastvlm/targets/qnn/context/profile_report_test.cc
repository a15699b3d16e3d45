#include "fastvlm/targets/qnn/context/profile_report.h"

#include <gtest/gtest.h>

namespace fastvlm {
namespace {

const Path kData = Path(FASTVLM_TEST_DATA) / "qnn";
constexpr const char* kGraph = "QNNExecutionProvider_QNNExecutionProvider_4877970110268108647_1_0";
constexpr const char* kBlock = "model.vision_tower.stages.0.blocks.0";

CompiledOperators read(const char* file) {
  auto report = read_qnn_graph_json(kData / file);
  EXPECT_TRUE(report.ok()) << report.error().message;
  return report.ok() ? *report : CompiledOperators{};
}

const NpuOperator* node_of_type(const CompiledOperators& report, const std::string& type) {
  for (const NpuOperator& node : report.nodes) {
    if (node.type == type) return &node;
  }
  return nullptr;
}

Result<CompiledOperators> parse(const char* text) { return parse_qnn_graph_json(Json::parse(text), "trace.json"); }

TEST(CompiledOperators, CountsTheOperatorsOfATrace) {
  const CompiledOperators report = read("vision_op_trace.json");
  EXPECT_EQ(report.graph_name, kGraph);
  EXPECT_EQ(report.onnx_node_count, 10);
  const std::map<std::string, std::int64_t> expected = {
      {"Conv2d", 1}, {"DepthWiseConv2d", 1}, {"ElementWiseAdd", 1}, {"Gelu", 1}, {"Transpose", 2}};
  EXPECT_EQ(report.histogram(), expected);
}

TEST(CompiledOperators, TellsWhichOnnxNodesWereFusedIntoOne) {
  const CompiledOperators report = read("vision_op_trace.json");
  const NpuOperator* gelu = node_of_type(report, "Gelu");
  ASSERT_NE(gelu, nullptr);
  const std::string act = std::string(kBlock) + ".mlp.act/";
  EXPECT_EQ(gelu->onnx_nodes, (std::vector<std::string>{act + "Div", act + "Erf", act + "Add", act + "Mul", act + "Mul_1"}));
  EXPECT_EQ(gelu->group, kBlock);
}

TEST(CompiledOperators, NamesNodesAsTheOnnxFileDoesAndLeavesInsertedOnesWithoutSource) {
  const CompiledOperators report = read("vision_op_trace.json");
  const NpuOperator* conv = node_of_type(report, "Conv2d");
  ASSERT_NE(conv, nullptr);
  EXPECT_EQ(conv->name, "model.vision_tower.stem.0/Conv_token_1");
  EXPECT_EQ(conv->onnx_nodes, std::vector<std::string>{"model.vision_tower.stem.0/Conv"});
  EXPECT_EQ(report.groups().at("").at("Transpose"), 2);
  EXPECT_EQ(report.groups().at(kBlock).size(), 3u);
}

TEST(CompiledOperators, GroupsAQuantizedUnitByItsComputingNode) {
  const CompiledOperators report = read("quantized_op_trace.json");
  const std::map<std::string, std::int64_t> in_layer = {{"FullyConnected", 1}, {"Reshape", 1}};
  EXPECT_EQ(report.groups().at("model.layers.0"), in_layer);
  EXPECT_EQ(report.by_onnx_node().at("model.layers.0.q_proj/MatMul"), (std::vector<std::size_t>{0, 1}));
}

TEST(CompiledOperators, ReadsTheGraphDumpToTheSameHistogram) {
  const CompiledOperators dump = read("vision_graph_dump.json");
  EXPECT_EQ(dump.graph_name, "vision_graph_dump");
  EXPECT_EQ(dump.histogram(), read("vision_op_trace.json").histogram());
  EXPECT_EQ(node_of_type(dump, "DepthWiseConv2d")->group, kBlock);
}

TEST(CompiledOperators, ComesBackFromItsOwnJson) {
  for (const char* file : {"vision_op_trace.json", "quantized_op_trace.json", "vision_graph_dump.json"}) {
    CompiledOperators report = read(file);
    report.refused = {{"m.b/det", "Det", "no"}};
    auto again = parse_qnn_graph_json(Json::parse(qnn_graph_report_to_json(report).dump()), "report.json");
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_EQ(*again, report);
  }
}

TEST(CompiledOperators, GroupsByLayerOrBlockOrModule) {
  const std::map<std::string, std::string> expected = {
      {"model.layers.17.self_attn.q_proj/matmul_1", "model.layers.17"},
      {"model.layers.17/add", "model.layers.17"},
      {"model.vision_tower.stages.2.blocks.23.mlp/gelu", "model.vision_tower.stages.2.blocks.23"},
      {"model.vision_tower.stages.3.downsample.proj/conv", "model.vision_tower.stages"},
      {"model.vision_tower.final_conv.se/mul", "model.vision_tower.final_conv"},
      {"model.layers.norm/mul", "model.layers.norm"},
      {"lm_head/matmul", "lm_head"},
      {"layers/x", "layers"},
      {"a..b./x", "a..b"},
      {"matmul_3", "graph"},
      {"/add", "graph"},
      {"", "graph"}};
  for (const auto& [node, group] : expected) EXPECT_EQ(qnn_group_of(node), group) << node;
}

TEST(CompiledOperators, SaysThatAGraphFellApartAndWhy) {
  const Path trace = kData / "refused_op_trace.json";
  auto report = read_qnn_graph_json(trace);
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().message,
            trace.string() + ": traces 2 QNN graphs where one is expected; 1 nodes were refused, the first is \"m.b/det\"");
  auto refused = read_refused_nodes(trace);
  ASSERT_TRUE(refused.ok()) << refused.error().message;
  ASSERT_EQ(refused->size(), 1u);
  EXPECT_EQ(refused->front().name, "m.b/det");
  EXPECT_EQ(refused->front().type, "Det");
  EXPECT_EQ(refused->front().reason.rfind("Operators of type `Det` are not supported", 0), 0u);
}

TEST(CompiledOperators, RefusesOtherJson) {
  for (const char* text :
       {"[]", "{}", "7", R"({"graph": 1})", R"({"graph": {"nodes": []}})", R"({"graph": {"nodes": {"a": {"type": 1}}}})",
        R"({"subgraph_traces": 1})", R"({"subgraph_traces": [1]})", R"({"subgraph_traces": [{"graph_name": "g"}]})",
        R"({"subgraph_traces": [{"graph_name": "g", "op_mappings": [{"dst_name": "a"}]}]})",
        R"({"subgraph_traces": [{"graph_name": "g", "op_mappings": [{"dst_name": "a", "dst_qnn_op_type": "b", "sources": [3]}]}]})",
        R"({"subgraph_traces": [], "unsupported_nodes": [1]})", R"({"qnn_graph_report": 2})",
        R"({"qnn_graph_report": 1, "graph_name": "g", "onnx_node_count": 0, "refused": [], "nodes": [["a"]]})",
        R"({"qnn_graph_report": 1, "graph_name": "g", "onnx_node_count": 0, "refused": [], "nodes": [["a", 1]]})"}) {
    auto report = parse(text);
    ASSERT_FALSE(report.ok()) << text;
    EXPECT_EQ(report.error().message.rfind("trace.json: ", 0), 0u) << report.error().message;
  }
}

}  // namespace
}  // namespace fastvlm
