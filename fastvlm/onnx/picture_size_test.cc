#include "fastvlm/onnx/picture_size.h"

#include <gtest/gtest.h>

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/onnx/model_file.h"
#include "fastvlm/onnx/text_models_for_tests.h"

namespace fastvlm {
namespace {

// A tower of one stride of 16 with two heads, whose map becomes tokens and a map again.
constexpr const char* kTower = R"(g (float[batch,3,64,64] pixel_values) => (float[batch,16,4] image_features)
<int64[3] tokens = {0,16,4}, int64[4] heads = {0,16,2,2}, int64[4] map = {0,4,4,4}> {
  a = Conv<strides = [16, 16]>(pixel_values, w)
  b = Transpose<perm = [0, 2, 3, 1]>(a)
  c = Reshape(b, tokens)
  d = Reshape(c, heads)
  e = Reshape(d, tokens)
  f = Reshape(e, map)
  image_features = Reshape(f, tokens)
})";

Result<OnnxModel> at(const std::string& text, std::int64_t size) {
  FolderForTests folder;
  const std::string model = onnx_from_text(text, {{"w", Dtype::kFloat32, {4, 3, 16, 16}, {{"location", "w.data"}}}});
  EXPECT_TRUE(write_file_atomically(folder.path() / "m.onnx", model).ok());
  auto bytes = at_picture_size(folder.path() / "m.onnx", size);
  if (!bytes.ok()) return bytes.error();
  return parse_onnx(as_bytes(*bytes), "test", {.infer_shapes = true});
}

TEST(PictureSize, TokensAndMapsFollowThePicture) {
  for (std::int64_t side : {16, 32, 64, 144}) {
    auto model = at(kTower, side);
    ASSERT_TRUE(model.ok()) << model.error().message;
    EXPECT_EQ(model->inference_note, "");
    const std::int64_t map = side / 16;
    EXPECT_EQ(to_string(model->inputs[0].type.dims), fmt::format("[batch, 3, {}, {}]", side, side));
    EXPECT_EQ(to_string(model->outputs[0].type.dims), fmt::format("[batch, {}, 4]", map * map));
    EXPECT_EQ(to_string(model->values.at("d").dims), fmt::format("[batch, {}, 2, 2]", map * map));
    EXPECT_EQ(to_string(model->values.at("f").dims), fmt::format("[batch, {}, {}, 4]", map, map));
  }
}

TEST(PictureSize, WhatIsNoTowerIsRefused) {
  struct Row {
    const char *text, *part;
  };
  for (const auto& [text, part] :
       {Row{"g (float[b,3,64,64] x) => (float[b,3,64,64] y) { y = Relu(x) }", "its only input must be \"pixel_values\""},
        Row{"g (float[b,3,64,32] pixel_values) => (float[b,3,64,32] y) { y = Relu(pixel_values) }", "of one picture size"},
        Row{"g (float[b,3,n,n] pixel_values) => (float[b,3,n,n] y) { y = Relu(pixel_values) }", "of one picture size"},
        Row{"g (float[b,3,64,64] pixel_values) => (float[b,a,c] y) <int64[3] t = {0,192,64}> { y = Reshape(pixel_values, t) }",
            "which is no map of a picture of 64 pixels"},
        Row{"g (float[b,3,64,64] pixel_values) => (float[b,a] y) { t = Shape<start = 0, end = 2>(pixel_values) \n y = "
            "Reshape(pixel_values, t) }",
            "are no constant"}}) {
    auto model = at(text, 128);
    ASSERT_FALSE(model.ok()) << text;
    EXPECT_NE(model.error().message.find(part), std::string::npos) << model.error().message;
  }
}

}  // namespace
}  // namespace fastvlm
