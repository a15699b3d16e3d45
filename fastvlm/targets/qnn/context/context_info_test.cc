#include "fastvlm/targets/qnn/context/context_info.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "fastvlm/base/try.h"
#include "fastvlm/run/ort_runner.h"
#include "fastvlm/run/runtimes_for_tests.h"
#include "fastvlm/run/tiny_model_for_tests.h"
#include "fastvlm/targets/qnn/context/context_wrapper.h"

namespace fastvlm {
namespace {

// What a library could answer: one graph with a quantized input and a float output.
struct Answer {
  const std::uint32_t input_shape[3] = {1, 4, 32};
  const std::uint32_t output_shape[2] = {4, 16};
  qnn_abi::Tensor input{.version = 1, .body = {.name = "x", .type = 0x0416, .rank = 3, .dimensions = input_shape}};
  qnn_abi::Tensor output{.version = 2, .body = {.name = "y", .type = 0x0216, .rank = 2, .dimensions = output_shape}};
  qnn_abi::HtpGraphBlob blob{.version = 1, .spill_fill_bytes = 7340032, .vtcm_bytes = 4 << 20, .optimization_level = 3};
  qnn_abi::Graph graph{.version = 3, .body = {.name = "prefill"}};
  qnn_abi::HtpContextBlob metadata{.version = 1, .dsp_arch = 79};
  qnn_abi::BinaryInfo info{.version = 3};

  Answer() {
    input.body.quantization.definition = qnn_abi::kQuantizationDefined;
    input.body.quantization.encoding = qnn_abi::QuantizationEncoding::kScaleOffset;
    input.body.quantization.one = {.scale = 0.5f, .offset = -32768};
    graph.body.input_count = graph.body.output_count = 1;
    graph.body.inputs = &input;
    graph.body.outputs = &output;
    graph.body.blob = &blob;
    graph.body.blob_bytes = sizeof(blob);
    info.body = {.backend_id = 6,
                 .build_id = "v2.51.0.260929181845",
                 .core_api = {2, 40, 0},
                 .backend_api = {5, 51, 0},
                 .context_blob_version = {4, 0, 6},
                 .context_blob_bytes = 57344,
                 .graph_count = 1,
                 .graphs = &graph,
                 .metadata_bytes = sizeof(metadata),
                 .metadata = &metadata,
                 .soc_model = 69};
  }
};

TEST(ContextInfo, TellsWhatTheLibraryAnswers) {
  Answer answer;
  auto info = context_info_of(answer.info, "a.bin");
  ASSERT_TRUE(info.ok()) << info.error().message;
  const ContextInfo expected = {.backend = "HTP",
                                .build_id = "v2.51.0.260929181845",
                                .core_api = "2.40.0",
                                .backend_api = "5.51.0",
                                .context_blob_version = "4.0.6",
                                .context_blob_bytes = 57344,
                                .soc_model = 69,
                                .dsp_arch = 79,
                                .graphs = {{.name = "prefill",
                                            .inputs = {{"x", "ufixed16", {1, 4, 32}, "scale 0.5, zero point 32768"}},
                                            .outputs = {{"y", "float16", {4, 16}, ""}},
                                            .spill_fill_bytes = 7340032,
                                            .vtcm_bytes = 4 << 20,
                                            .optimization_level = 3}}};
  EXPECT_EQ(*info, expected);
}

TEST(ContextInfo, ReadsRecordsOfOlderVersions) {
  Answer answer;
  const qnn_abi::BinaryBody now = answer.info.body;
  for (std::uint32_t version : {1, 2}) {
    answer.info.version = version;
    answer.graph.version = version;
    answer.info.old = {
        .backend_id = 6, .build_id = now.build_id, .context_blob_version = {3, 3, 1}, .graph_count = 1, .graphs = &answer.graph};
    auto info = context_info_of(answer.info, "a.bin");
    ASSERT_TRUE(info.ok()) << info.error().message;
    EXPECT_EQ(info->context_blob_version, "3.3.1");
    EXPECT_FALSE(info->soc_model || info->dsp_arch || info->graphs.at(0).vtcm_bytes);
  }
}

TEST(ContextInfo, ReadsNoFurtherThanTheBlobsReach) {
  Answer answer;
  answer.graph.body.blob_bytes = 8;
  answer.info.body.metadata_bytes = 4;
  auto info = context_info_of(answer.info, "a.bin");
  ASSERT_TRUE(info.ok());
  EXPECT_FALSE(info->graphs[0].spill_fill_bytes || info->dsp_arch);
}

TEST(ContextInfo, LeavesTheNumbersOfOtherBackendsAlone) {
  Answer answer;
  answer.info.body.backend_id = 4;
  auto info = context_info_of(answer.info, "a.bin");
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->backend, "4");
  EXPECT_FALSE(info->graphs[0].spill_fill_bytes || info->dsp_arch);
}

TEST(ContextInfo, HoldsCountsAgainstLimits) {
  const std::vector<void (*)(Answer&)> damages = {
      [](Answer& a) { a.info.version = 4; },
      [](Answer& a) { a.info.body.graph_count = 4'000'000'000u; },
      [](Answer& a) { a.info.body.graphs = nullptr; },
      [](Answer& a) { a.graph.version = 9; },
      [](Answer& a) { a.graph.body.input_count = 1u << 31; },
      [](Answer& a) { a.graph.body.outputs = nullptr; },
      [](Answer& a) { a.input.version = 0; },
      [](Answer& a) { a.input.body.rank = 17; },
      [](Answer& a) { a.output.body.dimensions = nullptr; },
  };
  for (std::size_t i = 0; i < damages.size(); ++i) {
    Answer answer;
    damages[i](answer);
    auto info = context_info_of(answer.info, "a.bin");
    ASSERT_FALSE(info.ok()) << i;
    EXPECT_EQ(info.error().message.rfind("a.bin: ", 0), 0u) << info.error().message;
  }
}

TEST(ContextInfo, NamesTypesAndQuantization) {
  Answer answer;
  auto& body = answer.input.body;
  auto told = [&] {
    auto info = context_info_of(answer.info, "a.bin");
    return info.ok() ? info->graphs[0].inputs[0].dtype + "; " + info->graphs[0].inputs[0].quantization : info.error().message;
  };
  body.type = 0x0304;
  body.quantization.encoding = qnn_abi::QuantizationEncoding::kAxisScaleOffset;
  body.quantization.per_axis = {.axis = 3, .count = 16};
  EXPECT_EQ(told(), "sfixed4; 16 scales along axis 3");
  body.type = 0x0308;
  body.quantization.encoding = qnn_abi::QuantizationEncoding::kBitsScaleOffset;
  body.quantization.one_with_bits = {.bits = 4, .scale = 0.25f, .offset = INT32_MIN};
  EXPECT_EQ(told(), "sfixed8; 4 bits, scale 0.25, zero point 2147483648");
  body.quantization.encoding = static_cast<qnn_abi::QuantizationEncoding>(6);
  body.type = 0x0508;
  EXPECT_EQ(told(), "bool8; encoding 6");
  body.quantization.definition = 0x7fffffff;
  body.type = 0x7fffffff;
  EXPECT_EQ(told(), "type 0x7fffffff; ");
}

TEST(ContextInfo, ComesBackFromItsOwnJson) {
  Answer answer;
  auto info = context_info_of(answer.info, "a.bin");
  ASSERT_TRUE(info.ok());
  info->file = "npu/a.bin";
  info->bytes = 61440;
  auto again = context_info_from_json(Json::parse(context_info_to_json(*info).dump()), "child");
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(*again, *info);
}

TEST(ContextInfo, WritesJsonEvenForNamesThatAreNoText) {
  Answer answer;
  answer.input.body.name = "\xff\xfe";
  auto info = context_info_of(answer.info, "a.bin");
  ASSERT_TRUE(info.ok());
  EXPECT_NO_THROW(context_info_to_json(*info).dump());
}

TEST(ContextInfo, RefusesJsonOfAnotherShape) {
  Answer answer;
  const Json good = Json::parse(context_info_to_json(*context_info_of(answer.info, "a.bin")).dump());
  for (const char* path :
       {"/build_id", "/bytes", "/soc_model", "/graphs", "/graphs/0", "/graphs/0/name", "/graphs/0/vtcm_bytes", "/graphs/0/inputs",
        "/graphs/0/inputs/0", "/graphs/0/inputs/0/shape", "/graphs/0/inputs/0/shape/1", "/graphs/0/inputs/0/quantization"}) {
    Json bad = good;
    bad[Json::json_pointer(path)] = -1.5;
    EXPECT_FALSE(context_info_from_json(bad, "child").ok()) << path;
  }
}

TEST(ContextInfo, TakesTheSdkVersionOutOfTheBuildId) {
  EXPECT_EQ(ContextInfo{.build_id = "v2.51.0.260929181845"}.sdk_version(), "2.51.0");
  EXPECT_EQ(ContextInfo{.build_id = "v2.51.0"}.sdk_version(), "2.51.0");
  EXPECT_EQ(ContextInfo{.build_id = "v2"}.sdk_version(), "v2");
  EXPECT_EQ(ContextInfo{.build_id = "nightly"}.sdk_version(), "nightly");
  EXPECT_EQ(ContextInfo{}.sdk_version(), "");
}

TEST(ContextHeader, ExplainsWhatIsNoWholeContext) {
  std::string bytes("\0\0\0\2\0\0\0\3\0\0\0\0\0\0\0\1", 16);
  bytes += std::string("\xa8\3\0\0\0\0\0\0\0\x10\0\0\0\0\0\0\0\x10\0\0\0\0\0\0", 24);
  bytes.resize(8192);
  EXPECT_TRUE(check_context_header(as_bytes(bytes), "a.bin").ok());
  bytes.pop_back();
  auto cut = check_context_header(as_bytes(bytes), "a.bin");
  ASSERT_FALSE(cut.ok());
  EXPECT_NE(cut.error().message.find("it was cut off"), std::string::npos) << cut.error().message;
  bytes.replace(24, 8, 8, '\xff');
  EXPECT_FALSE(check_context_header(as_bytes(bytes), "a.bin").ok());
  EXPECT_FALSE(check_context_header({}, "a.bin").ok());
  auto archive = check_context_header(as_bytes("PK\3\4" + std::string(100, 'x')), "a.bin");
  ASSERT_FALSE(archive.ok());
  EXPECT_NE(archive.error().message.find("several SoCs"), std::string::npos);
}

// Contexts that Qualcomm's compiler makes here and now.
class EmulatedContextTest : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_);
    ASSERT_TRUE(runtime_->register_provider("QNNExecutionProvider", paths_.qnn_plugin).ok());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  struct Compile {
    std::string name;
    int rows = 4;
    std::string soc = "69";
    std::map<std::string, std::string> options = {};
    std::map<std::string, std::string> entries = {};
  };
  // y = x · W with 64 x 32 weights; creating the session writes <name>_ctx.onnx and the binary.
  Result<std::unique_ptr<OrtRunner>> compile(const Compile& what) {
    const std::vector<float> weight(64 * 32, 0.125f);
    const tiny::Model model = {.nodes = {tiny::node("MatMul", {"x", "w"}, "y")},
                               .weights = {tiny::weight("w", {64, 32}, weight)},
                               .inputs = {tiny::value_info("x", {1, what.rows, 64})},
                               .outputs = {tiny::value_info("y", {1, what.rows, 32})}};
    const Path onnx = folder_ / (what.name + ".onnx");
    TRY(write_file_atomically(onnx, model.bytes()));
    OrtRunnerOptions options;
    options.provider = ExecutionProvider{"QNNExecutionProvider", {{"backend_type", "htp"}, {"soc_model", what.soc}}};
    options.provider->options.insert(what.options.begin(), what.options.end());
    options.session_entries = {{"ep.context_enable", "1"},
                               {"ep.context_file_path", wrapper(what.name).string()},
                               {"ep.context_embed_mode", "0"},
                               {"session.disable_cpu_ep_fallback", "1"}};
    options.session_entries.insert(what.entries.begin(), what.entries.end());
    return OrtRunner::open(runtime_, onnx, options);
  }
  Path wrapper(const std::string& name) const { return folder_ / (name + "_ctx.onnx"); }
  Path system_library() const { return paths_.qnn_folder / "libQnnSystem.so"; }

  RuntimePaths paths_ = runtimes_for_tests();
  std::shared_ptr<OrtRuntime> runtime_ = onnxruntime_for_tests();
  Path folder_ = Path(testing::TempDir()) / fmt::format("context_info_test.{}", ::getpid());
};

TEST_F(EmulatedContextTest, TellsTheSocItWasCompiledForAndItsGraph) {
  for (auto [soc, arch] : {std::pair("69", 79u), std::pair("57", 75u)}) {
    const std::string name = fmt::format("soc{}", soc);
    auto session = compile({.name = name, .soc = soc, .options = {{"vtcm_mb", "2"}}});
    ASSERT_TRUE(session.ok()) << session.error().message;
    auto written = read_context_wrapper(wrapper(name));
    ASSERT_TRUE(written.ok()) << written.error().message;
    EXPECT_EQ(written->soc_model, std::stoll(soc));
    auto info = read_context(written->context_file, system_library());
    ASSERT_TRUE(info.ok()) << info.error().message;
    EXPECT_EQ(info->soc_model, std::stoull(soc));
    EXPECT_EQ(info->dsp_arch, arch);
    EXPECT_EQ(info->backend, "HTP");
    EXPECT_EQ(info->build_id, written->ep_sdk_version);
    EXPECT_EQ(info->bytes, written->context_bytes);
    ASSERT_EQ(info->graphs.size(), 1u);
    const ContextGraph& graph = info->graphs[0];
    EXPECT_EQ(graph.name, written->partition_name);
    EXPECT_EQ(graph.inputs, (std::vector<ContextTensor>{{"x", "float32", {1, 4, 64}, ""}}));
    EXPECT_EQ(graph.outputs, (std::vector<ContextTensor>{{"y", "float32", {1, 4, 32}, ""}}));
    EXPECT_EQ(graph.vtcm_bytes, 2u << 20);
    EXPECT_EQ(graph.spill_fill_bytes, 0u);
  }
}

TEST_F(EmulatedContextTest, ShowsBothGraphsOfSharedWeights) {
  auto prefill = compile({.name = "prefill", .rows = 8, .entries = {{"ep.share_ep_contexts", "1"}}});
  ASSERT_TRUE(prefill.ok()) << prefill.error().message;
  auto decode = compile({.name = "decode", .rows = 1, .entries = {{"ep.share_ep_contexts", "1"}, {"ep.stop_share_ep_contexts", "1"}}});
  ASSERT_TRUE(decode.ok()) << decode.error().message;
  auto first = read_context_wrapper(wrapper("prefill"));
  auto second = read_context_wrapper(wrapper("decode"));
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->context_file, second->context_file);
  auto info = read_context(first->context_file, system_library());
  ASSERT_TRUE(info.ok()) << info.error().message;
  ASSERT_EQ(info->graphs.size(), 2u);
  EXPECT_EQ(info->graphs[0].name, first->partition_name);
  EXPECT_EQ(info->graphs[1].name, second->partition_name);
  EXPECT_EQ(info->graphs[0].inputs[0].shape, (std::vector<std::uint32_t>{1, 8, 64}));
  EXPECT_EQ(info->graphs[1].inputs[0].shape, (std::vector<std::uint32_t>{1, 1, 64}));
}

TEST_F(EmulatedContextTest, SaysASentenceForCutAndForeignFiles) {
  auto session = compile({.name = "cut"});
  ASSERT_TRUE(session.ok()) << session.error().message;
  auto written = read_context_wrapper(wrapper("cut"));
  ASSERT_TRUE(written.ok()) << written.error().message;
  std::filesystem::resize_file(written->context_file, written->context_bytes - 1);
  auto cut = read_context(written->context_file, system_library());
  ASSERT_FALSE(cut.ok());
  EXPECT_NE(cut.error().message.find("it was cut off"), std::string::npos) << cut.error().message;
  auto foreign = read_context(folder_ / "cut.onnx", system_library());
  ASSERT_FALSE(foreign.ok());
  EXPECT_NE(foreign.error().message.find("QnnSystem does not accept it"), std::string::npos) << foreign.error().message;
  auto no_library = read_context(folder_ / "cut.onnx", folder_ / "libQnnSystem.so");
  ASSERT_FALSE(no_library.ok());
  EXPECT_EQ(no_library.error().kind, ErrorKind::kEnvironment);
  std::filesystem::remove(written->context_file);
  auto missing = read_context_wrapper(wrapper("cut"));
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.error().message.find("is missing"), std::string::npos) << missing.error().message;
}

}  // namespace
}  // namespace fastvlm
