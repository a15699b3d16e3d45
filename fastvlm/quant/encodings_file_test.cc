#include "fastvlm/quant/encodings_file.h"

#include <gtest/gtest.h>

#include "fastvlm/base/json.h"

namespace fastvlm {
namespace {

WeightPtr scales(Shape shape, std::vector<float> values) { return Weight::of_values(std::move(shape), std::move(values), "scales"); }

// A uint16, an int16, a float, a weight by channel and the same weight in blocks as [in, out] and as [out, in].
std::vector<TensorEncoding> without_blocks() {
  return {{.name = "x", .whole = Encoding{.dtype = Dtype::kUint16, .scale = 0.5F, .zero_point = 3}},
          {.name = "key", .whole = Encoding{.dtype = Dtype::kInt16, .scale = 0.25F}},
          {.name = "sum"},
          {.name = "w", .parameter = true, .table = ScaleTable{.scales = scales({2}, {0.002F, 0}), .bits = 8, .axis = 1}}};
}
std::vector<TensorEncoding> with_blocks() {
  const WeightPtr six = scales({3, 2}, {1, 2, 3, 4, 5, 6});
  return {{.name = "in", .parameter = true, .table = ScaleTable{.scales = six, .bits = 4, .axis = 1, .block = 32}},
          {.name = "out", .parameter = true, .table = ScaleTable{.scales = six, .bits = 4, .axis = 0, .block = 32}}};
}

std::string text_of(EncodingsVersion version, const std::vector<TensorEncoding>& encodings) {
  std::string all;
  const Status written = write_encodings(
      {version, encodings}, [](const WeightPtr& weight) { return weight->read_all(); },
      [&](std::string_view piece) { return all += piece, Status{}; });
  EXPECT_TRUE(written.ok());
  EXPECT_EQ(all.size(), bytes_of({version, encodings})) << "the size is known before";
  return all;
}

TEST(EncodingsFile, InVersion061DictionariesHoldMinimumAndMaximum) {
  const Json json = Json::parse(text_of(EncodingsVersion::k061, without_blocks()));
  EXPECT_EQ(json["version"], "0.6.1");
  const Json& x = json["activation_encodings"]["x"];
  EXPECT_EQ(x,
            Json::parse(
                R"([{"bitwidth": 16, "dtype": "int", "is_symmetric": "False", "min": -1.5, "max": 32766.0, "scale": 0.5, "offset": -3}])"));
  EXPECT_EQ(json["activation_encodings"]["key"][0]["offset"], -32768);
  EXPECT_EQ(json["activation_encodings"]["key"][0]["is_symmetric"], "True");
  EXPECT_EQ(json["activation_encodings"]["sum"], Json::parse(R"([{"bitwidth": 16, "dtype": "float"}])"));
  const Json& w = json["param_encodings"]["w"];
  ASSERT_EQ(w.size(), 2u);
  EXPECT_EQ(w[0]["offset"], -128);
  EXPECT_FLOAT_EQ(w[0]["min"].get<float>(), -0.256F);
  EXPECT_FLOAT_EQ(w[0]["max"].get<float>(), 0.254F);
  EXPECT_EQ(w[1]["scale"], 1.0) << "a channel of zeros";
}

TEST(EncodingsFile, InVersion100ListsSayWhatKindOfEncodingItIs) {
  const Json json = Json::parse(text_of(EncodingsVersion::k100, without_blocks()));
  EXPECT_EQ(json["activation_encodings"], Json::parse(R"([
    {"name": "x", "enc_type": "PER_TENSOR", "dtype": "INT", "bw": 16, "is_sym": false, "scale": [0.5], "offset": [-3]},
    {"name": "key", "enc_type": "PER_TENSOR", "dtype": "INT", "bw": 16, "is_sym": true, "scale": [0.25], "offset": [-32768]},
    {"name": "sum", "enc_type": "PER_TENSOR", "dtype": "FLOAT", "bw": 16}])"));
  const Json& w = json["param_encodings"][0];
  EXPECT_EQ(w["enc_type"], "PER_CHANNEL");
  EXPECT_EQ(w["offset"], Json::parse("[-128, -128]"));
  EXPECT_EQ(static_cast<float>(w["scale"][0].get<double>()), 0.002F) << "to the last bit";
  const Json blocks = Json::parse(text_of(EncodingsVersion::k100, with_blocks()));
  EXPECT_EQ(blocks["param_encodings"][0], Json::parse(R"({"name": "in", "enc_type": "PER_BLOCK", "dtype": "INT", "bw": 4, "is_sym": true,
    "block_size": 32, "scale": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "offset": [-8, -8, -8, -8, -8, -8]})"));
  EXPECT_EQ(blocks["quantizer_args"]["param_bitwidth"], 4);
}

TEST(EncodingsFile, InVersion200ScalesLieLikeTheWeightAndTheSignIsThatOfOnnx) {
  EXPECT_EQ(Json::parse(text_of(EncodingsVersion::k200, without_blocks()))["encodings"], Json::parse(R"([
    {"name": "x", "output_dtype": "uint16", "y_scale": 0.5, "y_zero_point": 3},
    {"name": "key", "output_dtype": "int16", "y_scale": 0.25},
    {"name": "sum"},
    {"name": "w", "output_dtype": "int8", "axis": 1, "y_scale": [2.00000009e-03, 1.0]}])"));
  EXPECT_EQ(Json::parse(text_of(EncodingsVersion::k200, with_blocks()))["encodings"], Json::parse(R"([
    {"name": "in", "output_dtype": "int4", "axis": 0, "block_size": 32, "y_scale": [[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]]},
    {"name": "out", "output_dtype": "int4", "axis": 1, "block_size": 32, "y_scale": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]}])"));
}

TEST(EncodingsFile, Version061IsRefusedForBlocksAndNamesAreThoseOfTheVersions) {
  EXPECT_TRUE(check_version({EncodingsVersion::k061, without_blocks()}).ok());
  const auto blocks = with_blocks();
  EXPECT_TRUE(check_version({EncodingsVersion::k100, blocks}).ok());
  const Status refused = check_version({EncodingsVersion::k061, blocks});
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("\"in\" has blocks of 32; choose 1.0.0 or 2.0.0"), std::string::npos) << refused.error().message;
  for (const char* known : {"0.6.1", "1.0.0", "2.0.0"}) EXPECT_EQ(name(encodings_version(known).value()), known);
  EXPECT_FALSE(encodings_version("none"));
}

}  // namespace
}  // namespace fastvlm
