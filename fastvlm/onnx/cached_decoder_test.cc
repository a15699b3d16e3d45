#include "fastvlm/onnx/cached_decoder.h"

#include <gtest/gtest.h>

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/onnx/model_file.h"
#include "fastvlm/onnx/model_index.h"
#include "fastvlm/onnx/text_models_for_tests.h"

namespace fastvlm {
namespace {

constexpr CachedDecoderExtents kExtents = {.hidden_size = 4, .key_value_heads = 1, .head_dim = 4, .vocab_size = 8};

// One layer of one head, whose queries, keys and values are the rows themselves.
constexpr const char* kDecoder = R"(g (float[b,n,4] vision_features, int64[b,m] input_ids) => (float[b,l,8] logits)
<int64[5] heads = {0,0,1,1,4}, int64[3] rows = {0,0,4}, int64[1] axis = {1}, float one = {1.0}, float none = {0.0}> {
  picture = Relu(vision_features)
  text = Gather(table, input_ids)
  x = Concat<axis = 1>(picture, text)
  angles = ReduceSum<keepdims = 0>(x, axis)
  c = Cos(angles)
  s = Sin(angles)
  cu = Unsqueeze(c, axis)
  su = Unsqueeze(s, axis)
  mask = Where(hidden, none, one)
  xc = Mul(x, cu)
  xs = Add(xc, su)
  q5 = Reshape(xs, heads)
  q = Transpose<perm = [0, 2, 3, 1, 4]>(q5)
  k = Transpose<perm = [0, 2, 3, 4, 1]>(q5)
  scores = MatMul(q, k)
  seen = Add(scores, mask)
  weights = Softmax<axis = -1>(seen)
  mixed = MatMul(weights, q)
  back = Transpose<perm = [0, 3, 1, 2, 4]>(mixed)
  rows_again = Reshape(back, rows)
  last_norm0 = Relu(rows_again)
  logits = MatMul(last_norm0, head)
})";

std::string edited(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) text.replace(at, from.size(), to);
  return text;
}

Path decoder_file(const FolderForTests& folder, const std::string& text) {
  std::string model = onnx_from_text(text, {{"table", Dtype::kFloat32, {8, 4}, {{"location", "w.data"}}},
                                            {"head", Dtype::kFloat32, {4, 8}, {{"location", "w.data"}}},
                                            {"hidden", Dtype::kBool, {1}, {{"location", "w.data"}}}});
  // The text form takes no dot in a name; both spellings have the same length.
  model = edited(std::move(model), "last_norm0", "model.norm");
  EXPECT_TRUE(write_file_atomically(folder.path() / "m.onnx", model).ok());
  return folder.path() / "m.onnx";
}

std::string described(const std::vector<OnnxValue>& values) {
  std::string text;
  for (const OnnxValue& value : values) text += value.name + to_string(value.type.dims) + " ";
  return text;
}

TEST(CachedDecoder, HasTheInputsAndOutputsOfAStaticDecoderWithoutItsExtents) {
  FolderForTests folder;
  auto bytes = with_cache(decoder_file(folder, kDecoder), kExtents);
  ASSERT_TRUE(bytes.ok()) << bytes.error().message;
  auto model = parse_onnx(as_bytes(*bytes), "test", {.infer_shapes = true});
  ASSERT_TRUE(model.ok()) << model.error().message;
  EXPECT_EQ(model->inference_note, "");
  EXPECT_EQ(described(model->inputs),
            "past_key_0_in[1, 1, 4, past_slots] past_value_0_in[1, 1, past_slots, 4] inputs_embeds[1, rows, 4] "
            "attention_mask[1, 1, rows, slots] position_ids_cos[1, 1, rows, 2] position_ids_sin[1, 1, rows, 2] ");
  EXPECT_EQ(described(model->outputs), "past_key_0_out[1, 1, 4, rows] past_value_0_out[1, 1, rows, 4] logits[1, 1, 8] ");
  for (const OnnxInitializer& initializer : model->initializers) EXPECT_NE(initializer.name, "table") << "nothing needs it";
  const auto operators = operator_histogram(*model);
  EXPECT_FALSE(operators.contains("Gather") || operators.contains("Cos") || operators.contains("Where"));
}

TEST(CachedDecoder, ATiedHeadIsOneProductWithItsTable) {
  FolderForTests folder;
  const std::string tied = edited(kDecoder, "logits = MatMul(last_norm0, head)",
                                  "stood = Transpose<perm = [0, 2, 1]>(last_norm0)\n  product = MatMul(table, stood)\n"
                                  "  logits = Transpose<perm = [0, 2, 1]>(product)");
  auto bytes = with_cache(decoder_file(folder, tied), kExtents);
  ASSERT_TRUE(bytes.ok()) << bytes.error().message;
  auto model = parse_onnx(as_bytes(*bytes), "test", {.infer_shapes = true});
  ASSERT_TRUE(model.ok()) << model.error().message;
  EXPECT_EQ(model->inference_note, "");
  const OnnxIndex index(*model);
  const OnnxNode* laid = index.producer("logits");
  ASSERT_EQ(laid->op, "Unsqueeze");
  const OnnxNode* product = index.producer(laid->inputs[0]);
  ASSERT_EQ(product->op, "Gemm");
  EXPECT_EQ(product->inputs[1], "table");
  EXPECT_EQ(to_string(model->type_of("logits")->dims), "[1, 1, 8]");
  // In halves nothing is rearranged.
  CachedDecoderExtents halves = kExtents;
  halves.dtype = Dtype::kFloat16;
  bytes = with_cache(decoder_file(folder, tied), halves);
  ASSERT_TRUE(bytes.ok()) << bytes.error().message;
  EXPECT_FALSE(operator_histogram(*parse_onnx(as_bytes(*bytes), "test", {})).contains("Gemm"));
}

TEST(CachedDecoder, AnRmsNormIsOneNode) {
  FolderForTests folder;
  const std::string norm =
      "squares = Mul(rows_again, rows_again)\n  mean = ReduceMean<axes = [-1]>(squares)\n  sum = Add(mean, one)\n"
      "  root = Sqrt(sum)\n  unit = Div(rows_again, root)\n  last_norm0 = Mul(unit, one)";
  const auto operators_of = [&](const std::string& text) {
    auto bytes = with_cache(decoder_file(folder, text), kExtents);
    EXPECT_TRUE(bytes.ok()) << bytes.error().message;
    return operator_histogram(*parse_onnx(as_bytes(*bytes), "test", {.infer_shapes = false}));
  };
  const std::string normed = edited(kDecoder, "last_norm0 = Relu(rows_again)", norm);
  const auto joined = operators_of(normed);
  EXPECT_TRUE(joined.contains("SimplifiedLayerNormalization"));
  EXPECT_FALSE(joined.contains("ReduceMean") || joined.contains("Sqrt") || joined.contains("Div"));
  // What is none stays as it is.
  for (const auto& [from, to] : {std::pair("Mul(rows_again, rows_again)", "Mul(rows_again, xs)"),
                                 std::pair("Div(rows_again, root)", "Div(xs, root)"), std::pair("Add(mean, one)", "Add(mean, mean)")})
    EXPECT_FALSE(operators_of(edited(normed, from, to)).contains("SimplifiedLayerNormalization")) << to;
}

TEST(CachedDecoder, TheProjectorIsWhatStandsBeforeTheText) {
  FolderForTests folder;
  auto bytes = projector_of(decoder_file(folder, kDecoder), kExtents);
  ASSERT_TRUE(bytes.ok()) << bytes.error().message;
  auto model = parse_onnx(as_bytes(*bytes), "test", {.infer_shapes = true});
  ASSERT_TRUE(model.ok()) << model.error().message;
  EXPECT_EQ(described(model->inputs), "vision_features[b, n, 4] ");
  EXPECT_EQ(model->outputs.at(0).name, "image_features");
  EXPECT_EQ(operator_histogram(*model), (std::map<std::string, std::int64_t>{{"Relu", 1}, {"Identity", 1}}));
  EXPECT_TRUE(model->initializers.empty());
}

TEST(CachedDecoder, WhatIsNoDecoderOfAnExportIsRefused) {
  struct Row {
    std::string from, to, part;
  };
  FolderForTests folder;
  for (const Row& row :
       {Row{"int64[b,m] input_ids", "int64[b,m] other_ids", "has no inputs \"vision_features\" and \"input_ids\""},
        Row{"Concat<axis = 1>(picture, text)", "Add(picture, text)", "does not put \"input_ids\" behind"},
        Row{"Cos(angles)", "Tan(angles)", "cannot be given a cache"}, Row{"Sin(angles)", "Cos(angles)", "cannot be given a cache"},
        Row{"Softmax<axis = -1>(seen)", "Relu(seen)", "cannot be given a cache"},
        Row{"Softmax<axis = -1>(seen)", "Softmax<axis = -1>(scores)", "cannot be given a cache"},
        Row{"MatMul(weights, q)", "Add(weights, weights)", "cannot be given a cache"},
        Row{"last_norm0", "last_norm1", "cannot be given a cache"}}) {
    std::string text = edited(kDecoder, row.from, row.to);
    if (row.to == "int64[b,m] other_ids") text = edited(text, "Gather(table, input_ids)", "Gather(table, other_ids)");
    auto bytes = with_cache(decoder_file(folder, text), kExtents);
    ASSERT_FALSE(bytes.ok()) << text;
    EXPECT_NE(bytes.error().message.find(row.part), std::string::npos) << bytes.error().message;
  }
  EXPECT_FALSE(projector_of(folder.path() / "missing.onnx", kExtents).ok());
}

}  // namespace
}  // namespace fastvlm
