#include "fastvlm/targets/qnn/context/context_wrapper.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace fastvlm {
namespace {

class ContextWrapperTest : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_);
    ASSERT_TRUE(write_file_atomically(folder_ / "decoder_qnn.bin", "twelve bytes").ok());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static OnnxModel model() {
    OnnxModel model;
    model.metadata["ep_compatibility_info.QNNExecutionProvider"] = "v2:6:2.51.0:5.51.0:0:69:0:0";
    model.inputs = {{"x", {}}};
    model.outputs = {{"y", {}}};
    model.nodes = {{.domain = "com.microsoft",
                    .op = "EPContext",
                    .name = "node",
                    .inputs = {"x"},
                    .outputs = {"y"},
                    .attributes = {{"main_context", std::int64_t{1}},
                                   {"embed_mode", std::int64_t{0}},
                                   {"max_size", std::int64_t{4096}},
                                   {"ep_cache_context", std::string("decoder_qnn.bin")},
                                   {"ep_sdk_version", std::string("v2.51.0.260929181845")},
                                   {"source", std::string("QNNExecutionProvider")},
                                   {"partition_name", std::string("graph_1")}}}};
    return model;
  }
  Result<ContextWrapper> read(const OnnxModel& model) { return context_wrapper_of(model, folder_ / "decoder_ctx.onnx"); }
  std::string refusal(const OnnxModel& model) {
    auto wrapper = read(model);
    return wrapper.ok() ? "accepted" : wrapper.error().message;
  }

  Path folder_ = Path(testing::TempDir()) / fmt::format("context_wrapper_test.{}", ::getpid());
};

TEST_F(ContextWrapperTest, ReadsWhatThePlugInNoted) {
  auto wrapper = read(model());
  ASSERT_TRUE(wrapper.ok()) << wrapper.error().message;
  EXPECT_EQ(wrapper->partition_name, "graph_1");
  EXPECT_EQ(wrapper->ep_sdk_version, "v2.51.0.260929181845");
  EXPECT_EQ(wrapper->context_file, folder_ / "decoder_qnn.bin");
  EXPECT_EQ(wrapper->context_bytes, 12u);
  EXPECT_EQ(wrapper->max_size, 4096);
  EXPECT_EQ(wrapper->soc_model, 69);
  EXPECT_EQ(wrapper->node_count, 1u);
  EXPECT_TRUE(wrapper->main_context);
  EXPECT_FALSE(wrapper->embed_mode);
  EXPECT_TRUE(is_context_wrapper(model()));
}

TEST_F(ContextWrapperTest, LeavesTheSocOpenWhenTheNoteIsStrange) {
  for (const char* note : {"", "v2:6", "v3:6:2.51.0:5.51.0:0:69:0:0", "v2:6:2.51.0:5.51.0:0:sixty:0:0", "v2:6:2.51.0:5.51.0:0::0:0"}) {
    OnnxModel strange = model();
    strange.metadata["ep_compatibility_info.QNNExecutionProvider"] = note;
    auto wrapper = read(strange);
    ASSERT_TRUE(wrapper.ok());
    EXPECT_FALSE(wrapper->soc_model) << note;
  }
}

TEST_F(ContextWrapperTest, CountsAnEmbeddedContextByItsBytes) {
  OnnxModel embedded = model();
  embedded.nodes[0].attributes["embed_mode"] = std::int64_t{1};
  auto wrapper = read(embedded);
  ASSERT_TRUE(wrapper.ok()) << wrapper.error().message;
  EXPECT_EQ(wrapper->context_bytes, 15u);
  EXPECT_TRUE(wrapper->context_file.empty());
}

TEST_F(ContextWrapperTest, WantsExactlyOneContextNode) {
  OnnxModel none = model();
  none.nodes[0].domain = "";
  EXPECT_NE(refusal(none).find("no EPContext node"), std::string::npos);
  EXPECT_FALSE(is_context_wrapper(none));
  OnnxModel two = model();
  two.nodes.push_back(two.nodes[0]);
  EXPECT_NE(refusal(two).find("has 2 EPContext nodes"), std::string::npos);
}

TEST_F(ContextWrapperTest, AcceptsNodesAtTheEdges) {
  OnnxModel edges = model();
  edges.inputs = {{"raw", {}}};
  edges.nodes.push_back({.op = "QuantizeLinear", .name = "q", .inputs = {"raw", "s", "z"}, .outputs = {"x"}});
  auto wrapper = read(edges);
  ASSERT_TRUE(wrapper.ok()) << wrapper.error().message;
  EXPECT_EQ(wrapper->node_count, 2u);
}

TEST_F(ContextWrapperTest, WantsEveryInputAndOutputConnected) {
  OnnxModel loose = model();
  loose.outputs.push_back({"z", {}});
  EXPECT_NE(refusal(loose).find("the output \"z\" is not connected"), std::string::npos);
}

TEST_F(ContextWrapperTest, WantsTheBinaryBesideIt) {
  const std::map<std::string, std::string> names = {{"", "is no name of a file"},
                                                    {"../decoder_qnn.bin", "is no name of a file"},
                                                    {"a/../../b.bin", "is no name of a file"},
                                                    {"/etc/passwd", "is no name of a file"},
                                                    {std::string("decoder_qnn.bin\0x", 17), "is no name of a file"},
                                                    {".", "is missing"},
                                                    {"other_qnn.bin", "is missing"}};
  for (const auto& [name, reason] : names) {
    OnnxModel elsewhere = model();
    elsewhere.nodes[0].attributes["ep_cache_context"] = name;
    EXPECT_NE(refusal(elsewhere).find(reason), std::string::npos) << name << ": " << refusal(elsewhere);
  }
}

TEST_F(ContextWrapperTest, RefusesContextsOfOtherProviders) {
  OnnxModel foreign = model();
  foreign.nodes[0].attributes["source"] = std::string("TensorrtExecutionProvider");
  EXPECT_NE(refusal(foreign).find("not of QNN"), std::string::npos);
}

TEST_F(ContextWrapperTest, RefusesAttributesOfTheWrongType) {
  OnnxModel wrong = model();
  wrong.nodes[0].attributes["ep_cache_context"] = std::int64_t{3};
  EXPECT_NE(refusal(wrong).find("is no name of a file"), std::string::npos);
}

}  // namespace
}  // namespace fastvlm
