#include "fastvlm/bundle/graph_entry.h"

#include <gtest/gtest.h>

#include "fastvlm/bundle/names.h"

namespace fastvlm {
namespace {

TEST(GraphEntry, NamesGroupsAndFilesFollowFromRoleAndExtents) {
  struct Case {
    GraphRole role;
    GraphExtents extents;
    const char* file;
    const char* group;
    const char* data;  // of static graphs: where the weights of its group lie
  };
  const Case cases[] = {
      {GraphRole::kVisionEncoder, {}, "fastvlm_vision_encoder.onnx", "", ""},
      {GraphRole::kDecoderWithProjection, {}, "fastvlm_decoder_with_projection.onnx", "", ""},
      {GraphRole::kTokenEmbedder, {}, "fastvlm_token_embedder.onnx", "", ""},
      {GraphRole::kVision, {.image_size = 256}, "npu/vision_256.onnx", "vision", "vision.onnx.data"},
      {GraphRole::kDecoder, {.new_tokens = 128, .context = 1024}, "npu/decoder_ar128_cl1024.onnx", "decoder", "decoder.onnx.data"},
      {GraphRole::kDecoder,
       {.new_tokens = 1, .context = 64, .part = 1, .parts = 3},
       "npu/decoder_ar1_cl64_part_1_of_3.onnx",
       "decoder_part_1_of_3",
       "decoder.onnx.data"},
      {GraphRole::kDecoder,
       {.new_tokens = 1, .context = 64, .part = 2, .parts = 3, .recipe = "w4"},
       "npu/decoder_ar1_cl64_w4_part_2_of_3.onnx",
       "decoder_w4_part_2_of_3",
       "decoder_w4.onnx.data"},
      {GraphRole::kFused,
       {.vision_tokens = 16, .text_tokens = 32, .recipe = "w8"},
       "npu/fused_v16_t32_w8.onnx",
       "fused_v16_t32_w8",
       "fused_w8.onnx.data"},
      {GraphRole::kFused, {.vision_tokens = 16, .text_tokens = 32}, "npu/fused_v16_t32.onnx", "fused_v16_t32", "fused.onnx.data"},
  };
  for (const Case& c : cases) {
    const std::string name = graph_name(c.role, c.extents), group = group_name(c.role, c.extents);
    EXPECT_EQ(graph_file(name, is_static(c.role)), c.file);
    EXPECT_EQ(is_npu_file(c.file), is_static(c.role));
    EXPECT_EQ(group, c.group);
    if (is_static(c.role)) {
      EXPECT_EQ(data_file_of_group(group, c.extents.recipe), c.data);
    }
  }
  EXPECT_EQ(data_file_of("a.onnx"), "a.onnx.data");
  EXPECT_EQ(compiled_folder("sm8750"), "npu/sm8750/");
}

TEST(GraphEntry, TellsWhatAGraphTakesAndGives) {
  Graph graph("fastvlm_token_embedder");
  Value ids = graph.add_input("input_ids", Dtype::kInt64, {"batch_size", 4});
  Value copy = graph.add_node("", "Identity", {ids}, {{Dtype::kInt64, ids.dims()}})[0];
  graph.add_output(graph.add_node(kMicrosoftDomain, "Gelu", {copy}, {{Dtype::kInt64, ids.dims()}})[0], "embeddings");
  const GraphEntry entry = graph_entry(graph, GraphRole::kTokenEmbedder, {}, Dtype::kFloat16);
  EXPECT_EQ(entry.inputs, (std::vector<ValueEntry>{{"input_ids", Dtype::kInt64, {"batch_size", 4}}}));
  EXPECT_EQ(entry.outputs[0].name, "embeddings");
  EXPECT_EQ(entry.operators, (std::map<std::string, std::int64_t>{{"Identity", 1}, {"com.microsoft::Gelu", 1}}));
  EXPECT_EQ(entry.nodes, 2);
  EXPECT_EQ(entry.precision, "float16");
  EXPECT_FALSE(entry.npu());
}

}  // namespace
}  // namespace fastvlm
