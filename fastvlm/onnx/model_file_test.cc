#include "fastvlm/onnx/model_file.h"

#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include "fastvlm/onnx/model_index.h"
#include "fastvlm/onnx/text_models_for_tests.h"

namespace fastvlm {
namespace {

OnnxModel parse(const std::string& text, const std::vector<ExternalTensorForTests>& external = {}) {
  const std::string bytes = onnx_from_text(text, external);
  Result<OnnxModel> model = parse_onnx(as_bytes(bytes), "test");
  EXPECT_TRUE(model.ok()) << model.error().message;
  return model.ok() ? *model : OnnxModel();
}

std::string error_of(const std::string& bytes) {
  Result<OnnxModel> model = parse_onnx(as_bytes(bytes), "test");
  return model.ok() ? "" : model.error().message;
}

const char* const kTwoLayers = R"(
g (float[batch,4,8] x) => (float[batch,4,2] y) <float[8,2] w = {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16}, float half = {0.5}> {
  hidden = MatMul(x, w)
  y = Mul(hidden, half)
})";

TEST(OnnxModelFile, TellsHeaderInputsAndNodes) {
  const OnnxModel model = parse(kTwoLayers);
  EXPECT_EQ(model.ir_version, 8);
  EXPECT_EQ(model.opset(), 17);
  EXPECT_EQ(model.opsets.at("com.microsoft"), 1);
  EXPECT_EQ(model.graph_name, "g");
  ASSERT_EQ(model.inputs.size(), 1u);
  EXPECT_EQ(model.inputs[0].type.dtype, Dtype::kFloat32);
  EXPECT_EQ(model.inputs[0].type.dims, (Dims{"batch", 4, 8}));
  ASSERT_EQ(model.nodes.size(), 2u);
  EXPECT_EQ(model.nodes[0].inputs, (std::vector<std::string>{"x", "w"}));
  EXPECT_FALSE(model.has_subgraphs);
  EXPECT_EQ(model.inference_note, "");
}

TEST(OnnxModelFile, InfersShapesOfValuesBetweenAndKeepsSymbols) {
  const OnnxModel model = parse(kTwoLayers);
  ASSERT_NE(model.type_of("hidden"), nullptr);
  EXPECT_EQ(model.type_of("hidden")->dims, (Dims{"batch", 4, 2}));
  EXPECT_EQ(model.type_of("nothing"), nullptr);
}

TEST(OnnxModelFile, LeavesShapesOutWhenAskedTo) {
  const std::string bytes = onnx_from_text(kTwoLayers);
  Result<OnnxModel> model = parse_onnx(as_bytes(bytes), "test", {.infer_shapes = false});
  ASSERT_TRUE(model.ok());
  EXPECT_EQ(model->type_of("hidden"), nullptr);
}

TEST(OnnxModelFile, KeepsSmallConstantsOfEveryStorage) {
  const OnnxModel model = parse(kTwoLayers);
  const OnnxIndex index(model);
  ASSERT_NE(index.constant("w"), nullptr);
  EXPECT_EQ(index.constant("w")->floats()[15], 16.0f);
  EXPECT_EQ(index.scalar("half"), 0.5);
  EXPECT_EQ(index.scalar("w"), std::nullopt);
  EXPECT_TRUE(index.is_constant("half"));
  EXPECT_FALSE(index.is_constant("hidden"));
}

TEST(OnnxModelFile, SeesConstantNodesAsConstants) {
  const OnnxModel model = parse(
      "g (float[2] x) => (float[2] y) { c = Constant<value = float[1] {3.5}>() d = Constant<value_float = 2.0>() a = Mul(x, c) y = Mul(a, "
      "d) }");
  const OnnxIndex index(model);
  EXPECT_EQ(index.scalar("c"), 3.5);
  EXPECT_EQ(index.scalar("d"), 2.0);
  EXPECT_EQ(index.users("a").size(), 1u);
  EXPECT_EQ(index.producer("y")->op, "Mul");
}

TEST(OnnxModelFile, ReadsAttributesByType) {
  const OnnxModel model = parse("g (float[2,3] x) => (float[3,2] y) { t = Transpose<perm = [1, 0]>(x) y = LeakyRelu<alpha = 0.25>(t) }");
  EXPECT_EQ(std::get<std::vector<std::int64_t>>(model.nodes[0].attributes.at("perm")), (std::vector<std::int64_t>{1, 0}));
  EXPECT_EQ(model.nodes[1].real("alpha", 0), 0.25f);
  EXPECT_EQ(model.nodes[1].integer("alpha", 7), 7);  // another type is no integer
  EXPECT_EQ(model.nodes[1].text("missing", "otherwise"), "otherwise");
}

TEST(OnnxModelFile, KnowsTheOperatorsOfOnnxRuntimeThatWeWrite) {
  const OnnxModel model =
      parse(R"(g (float[1,4,8] x) => (float y) <float[8] s = {1,1,1,1,1,1,1,1}, float step = {0.1}, uint16 zero = {32768}> {
    n = SimplifiedLayerNormalization<axis = -1>(x, s)
    q = com.microsoft.QuantizeLinear(n, step, zero)
    d = com.microsoft.DequantizeLinear(q, step, zero)
    e = com.microsoft.Gelu(d)
    y = ReduceMean<keepdims = 0>(e)
  })");
  EXPECT_EQ(model.inference_note, "");
  ASSERT_NE(model.type_of("q"), nullptr);
  EXPECT_EQ(model.type_of("q")->dtype, Dtype::kUint16);
  EXPECT_EQ(model.type_of("e")->dims, (Dims{1, 4, 8}));
  EXPECT_EQ(model.type_of("e")->dtype, Dtype::kFloat32);
}

TEST(OnnxModelFile, UnderstandsNewerFormsOfOldOperators) {
  const OnnxModel model = parse(R"(<ir_version: 10, opset_import: ["" : 23]>
  g (float[1,4,9] x, float[9] s) => (float y) <int64[1] axes = {-1}> {
    n = RMSNormalization<axis = -1>(x, s)
    m = ReduceMean<keepdims = 1>(n, axes)
    a, b = Split<axis = 2, num_outputs = 2>(n)
    p, q = SomethingNew(b)
    y = Gelu(p)
  })");
  EXPECT_EQ(model.inference_note, "");
  EXPECT_EQ(model.type_of("m")->dims, (Dims{1, 4, 1}));
  EXPECT_EQ(model.type_of("a")->dims, (Dims{1, 4, 5}));
  EXPECT_EQ(model.type_of("b")->dims, (Dims{1, 4, 4}));
  const OnnxType* unknown = model.type_of("p");
  EXPECT_TRUE(unknown == nullptr || !unknown->has_shape);
}

TEST(OnnxModelFile, StaysReadableWhenInferenceFails) {
  const OnnxModel model = parse("g (float[2,3] x) => (float[2,5] y) <float[4,5] w> { y = somewhere.Op(x) }");
  EXPECT_NE(model.inference_note, "");
  EXPECT_EQ(model.nodes.size(), 1u);
  EXPECT_EQ(model.outputs[0].type.dims, (Dims{2, 5}));
}

TEST(OnnxModelFile, SurvivesGraphsThatTheOnnxLibraryDoesNot) {
  // Each of these made the library read through a null pointer or divide by zero.
  for (const char* text : {"g (float[2] w) => (float[2] y) { s = Shape(x) y = Cast<to = 1>(s) }",
                           "g (float[1,1,4,4] x, float[1,1,1,1] w) => (float[1,1,4,4] y) { y = Conv<strides = [0, 0]>(x, w) }",
                           "g (float[2] x) => (float[2] y) { y = Cast<to = 1>() }"})
    EXPECT_NE(parse(text).inference_note, "") << text;
  // The type of an unknown operator's result is unknown.
  const OnnxModel model =
      parse("g (float[2] x) => (float[2] y) { a = com.microsoft.Strange(x) s = Shape(a) c = Cast<to = 1>(a) y = Reshape(c, s) }");
  EXPECT_EQ(model.inference_note, "");
  EXPECT_EQ(model.nodes.size(), 4u);
}

TEST(OnnxModelFile, FollowsShapesThatAreComputed) {
  const OnnxModel model =
      parse("g (float[2,3] x, float[4,6] z) => (float[a,b] y) { s = Shape(x) r = Expand(z, s) t = Reshape(x, s) y = Relu(t) }");
  ASSERT_NE(model.type_of("t"), nullptr);
  EXPECT_EQ(model.type_of("t")->dims, (Dims{2, 3}));
}

TEST(OnnxModelFile, FindsNodesOfSubgraphs) {
  const OnnxModel model = parse(R"(g (bool c, float[2] x) => (float[2] y) {
    y = If(c) <then_branch = t () => (float[2] a) { a = Relu(x) }, else_branch = e () => (float[2] b) { b = Neg(x) }>
  })");
  EXPECT_TRUE(model.has_subgraphs);
  EXPECT_EQ(model.inner_nodes.size(), 2u);
  EXPECT_TRUE(OnnxIndex(model).is_used_inside("x"));
  const auto counts = operator_histogram(model);
  EXPECT_EQ(counts.at("If"), 1);
  EXPECT_EQ(counts.at("Relu"), 1);
}

TEST(OnnxModelFile, CountsOperatorsByDomain) {
  const OnnxModel model = parse("g (float[2] x) => (float[2] y) { a = com.microsoft.Gelu(x) b = com.microsoft.Gelu(a) y = Add(a, b) }");
  EXPECT_EQ(operator_histogram(model), (std::map<std::string, std::int64_t>{{"Add", 1}, {"com.microsoft::Gelu", 2}}));
}

TEST(OnnxModelFile, NamesWhereExternalTensorsLieWithoutOpeningThem) {
  const OnnxModel model =
      parse("g (float[2,3] x) => (float[2,4] y) { y = MatMul(x, w) }",
            {{"w", Dtype::kFloat32, {3, 4}, {{"location", "weights.data"}, {"offset", "8589934592"}, {"length", "48"}}}});
  ASSERT_EQ(model.initializers.size(), 1u);
  const OnnxInitializer& weight = model.initializers[0];
  ASSERT_TRUE(weight.external.has_value());
  EXPECT_EQ(weight.external->location, "weights.data");
  EXPECT_EQ(weight.external->offset, 8589934592u);
  EXPECT_EQ(weight.external->length, 48u);
  EXPECT_EQ(weight.bytes, 48u);
  EXPECT_FALSE(weight.constant.has_value());
}

TEST(OnnxModelFile, RefusesImpossibleNumbersInExternalData) {
  for (const char* bad : {"-1", "12x", "", "99999999999999999999", "9223372036854775808", "0x10"}) {
    const std::string bytes = onnx_from_text("g (float[2] x) => (float[2] y) { y = Add(x, w) }",
                                             {{"w", Dtype::kFloat32, {2}, {{"location", "weights.data"}, {"offset", bad}}}});
    EXPECT_NE(error_of(bytes).find("initializer \"w\": external data offset"), std::string::npos) << bad;
  }
  const std::string nameless = onnx_from_text("g (float[2] x) => (float[2] y) { y = Add(x, w) }", {{"w", Dtype::kFloat32, {2}, {}}});
  EXPECT_NE(error_of(nameless).find("no file is named"), std::string::npos);
}

TEST(OnnxModelFile, RefusesShapesThatCannotBe) {
  const std::string bytes = onnx_from_text("g (float[2] x) => (float[2] y) { y = Add(x, w) }",
                                           {{"w", Dtype::kFloat32, {1LL << 40, 1LL << 40}, {{"location", "weights.data"}}}});
  EXPECT_NE(error_of(bytes).find("is not a possible shape"), std::string::npos);
}

TEST(OnnxModelFile, RefusesEveryTruncationInOneSentence) {
  const std::string bytes = onnx_from_text(kTwoLayers);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    Result<OnnxModel> model = parse_onnx(as_bytes(std::string_view(bytes).substr(0, size)), "test.onnx");
    if (model.ok()) continue;  // cut between two fields: a shorter model
    EXPECT_TRUE(model.error().message.starts_with("test.onnx: ")) << model.error().message;
    EXPECT_EQ(model.error().kind, ErrorKind::kBadInput);
  }
  EXPECT_NE(error_of(bytes.substr(0, bytes.size() / 2)), "");
}

TEST(OnnxModelFile, RefusesFilesThatAreNoModels) {
  const std::string pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + std::string(64, '0') + "\nsize 1\n";
  const Path file = Path(testing::TempDir()) / "no_model.onnx";
  for (const auto& [text, part] : std::vector<std::pair<std::string, std::string>>{{"\x08", ", or cut short"},
                                                                                   {"", " but an empty file"},
                                                                                   {"{\"a\": 1}", " but text"},
                                                                                   {"PK\x03\x04 something", " but a zip archive"},
                                                                                   {pointer, " but a Git LFS pointer"},
                                                                                   {"<!DOCTYPE html><html>", " but an HTML or XML page"}}) {
    EXPECT_NE(error_of(text).find("not an ONNX model" + part), std::string::npos) << error_of(text);
    ASSERT_TRUE(write_file_atomically(file, text).ok());
    EXPECT_NE(read_onnx(file).error().message.find("not an ONNX model" + part), std::string::npos) << part;
  }
  EXPECT_NE(read_onnx("/nowhere/model.onnx").error().message.find("no such file"), std::string::npos);
}

TEST(OnnxProbes, AddsTypedOutputsAndKeepsTheRest) {
  const Path file = Path(testing::TempDir()) / "probes.onnx";
  ASSERT_TRUE(write_file_atomically(file, onnx_from_text(kTwoLayers)).ok());
  const std::vector<std::string> names = {"hidden", "y"};
  Result<std::string> bytes = with_probes(file, names);
  ASSERT_TRUE(bytes.ok()) << bytes.error().message;
  Result<OnnxModel> model = parse_onnx(as_bytes(*bytes), "probes");
  ASSERT_TRUE(model.ok());
  ASSERT_EQ(model->outputs.size(), 2u);
  EXPECT_EQ(model->outputs[0].name, "y");
  EXPECT_EQ(model->outputs[1].name, "hidden");
  EXPECT_EQ(model->outputs[1].type.dims, (Dims{"batch", 4, 2}));

  const std::vector<std::string> missing = {"x"};
  EXPECT_NE(with_probes(file, missing).error().message.find("\"x\""), std::string::npos);
}

// An operator of integers and the QuantizeLinear behind it stay joined.
TEST(OnnxProbes, WhatIsOnlyReadAsCodesIsSeenBehindThem) {
  const Path file = Path(testing::TempDir()) / "probes_of_codes.onnx";
  const auto probed = [&](const std::string& last) {
    const std::string text = R"(<ir_version: 10, opset_import: ["" : 21]>
      codes (float[1, 4] x) => (float[1, 4] y) <float scale = {0.5}, uint8 zero = {128}> {
        hidden = Relu (x)
        codes = QuantizeLinear (hidden, scale, zero)
        read = DequantizeLinear (codes, scale, zero)
        y = )" + last + " }";
    EXPECT_TRUE(write_file_atomically(file, onnx_from_text(text)).ok());
    const std::vector<std::string> names = {"hidden"};
    return parse_onnx(as_bytes(with_probes(file, names).value()), "probes").value();
  };
  const OnnxModel codes = probed("Neg (read)");
  const OnnxNode& probe = codes.nodes.back();
  EXPECT_EQ(probe.op, "DequantizeLinear");
  EXPECT_EQ(probe.inputs, (std::vector<std::string>{"codes", "scale", "zero"}));
  EXPECT_EQ(probe.outputs, std::vector<std::string>{"hidden"});
  EXPECT_EQ(codes.nodes[0].outputs[0], codes.nodes[1].inputs[0]);
  EXPECT_NE(codes.nodes[0].outputs[0], "hidden");
  EXPECT_EQ(codes.outputs[1].type.dims, (Dims{1, 4}));
  EXPECT_EQ(probed("Add (read, hidden)").nodes[0].outputs[0], "hidden") << "what a float reads stays as it is";
}

// The text form has no sparse tensors and no counts.
onnx::ModelProto proto_of(const std::string& text) {
  onnx::ModelProto proto;
  EXPECT_TRUE(proto.ParseFromString(onnx_from_text(text)));
  return proto;
}

TEST(OnnxModelFile, SparseInitializersAreInitializers) {
  onnx::ModelProto proto = proto_of("g (float[1,4] x) => (float[1,4] y) { y = Add(x, w) }");
  onnx::SparseTensorProto& sparse = *proto.mutable_graph()->add_sparse_initializer();
  sparse.mutable_values()->set_name("w");
  sparse.mutable_values()->set_data_type(onnx::TensorProto::FLOAT);
  sparse.mutable_values()->add_float_data(3);
  sparse.add_dims(1), sparse.add_dims(4);
  const std::string bytes = proto.SerializeAsString();
  const auto model = parse_onnx(as_bytes(bytes), "test");
  ASSERT_TRUE(model.ok()) << model.error().message;
  ASSERT_EQ(model->initializers.size(), 1u);
  EXPECT_EQ(model->initializers[0].name, "w");
  EXPECT_EQ(model->initializers[0].dtype, Dtype::kFloat32);
  EXPECT_EQ(model->initializers[0].shape, (Shape{1, 4}));
}

TEST(OnnxModelFile, ModelsOfVeryManyNodesAreNotJudged) {
  onnx::ModelProto proto = proto_of("g (float[2] x) => (float[2] y) { y = Relu(x) }");
  for (int i = 0; i < 1 << 17; ++i) proto.mutable_graph()->add_node();
  const std::string bytes = proto.SerializeAsString();
  const auto model = parse_onnx(as_bytes(bytes), "test", {.find_faults = true});
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().message, "test: the model has 131073 nodes, and at most 131072 are judged; cut it into smaller models");
}

}  // namespace
}  // namespace fastvlm
