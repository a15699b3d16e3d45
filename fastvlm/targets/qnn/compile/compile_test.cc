#include "fastvlm/targets/qnn/compile/compile.h"

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/onnx/data_writer.h"
#include "fastvlm/onnx/writer.h"
#include "fastvlm/ops/semantic.h"
#include "fastvlm/run/runtimes_for_tests.h"
#include "fastvlm/targets/qnn/chips/soc_for_tests.h"
#include "fastvlm/targets/qnn/lower/htp_expansions.h"

namespace fastvlm::qnn {
namespace {

// Two graphs over one set of weights, as different prompt lengths are.
class EmulatedCompile : public testing::Test {
 protected:
  void SetUp() override {
    DataLayout layout;
    const std::vector<float> values(64 * 64, 0.01f);
    const WeightPtr weight = Weight::of_values({64, 64}, values, "test");
    for (std::int64_t tokens : {8, 1}) {
      Graph graph(fmt::format("decoder_ar{}", tokens));
      Value x = graph.add_input("x", Dtype::kFloat32, {1, tokens, 64});
      Scope scope(graph, "layer");
      graph.add_output(ops::gelu(ops::linear(x, weight)), "y");
      auto expanded = ops::expand(graph, htp_expansions());
      layout.place_graph(*expanded, "decoder.onnx.data");
      folder_.write("npu/" + graph.name() + ".onnx", to_onnx(*expanded, layout, {}).value());
    }
    Progress silent;
    weights_sha256_ = write_data_files(layout, folder_ / "npu", {.threads = 1}, silent).value().files.at("decoder.onnx.data").sha256;
  }

  Result<std::vector<CompiledGroup>> compile(const char* soc, const std::string& output,
                                             std::vector<std::string> graphs = {"decoder_ar8", "decoder_ar1"}) {
    std::filesystem::create_directories(folder_ / output);
    Progress silent;
    return compile_groups({.program = FASTVLM_PROGRAM,
                           .runtimes = runtimes_for_tests(),
                           .graph_folder = folder_ / "npu",
                           .output_folder = folder_ / output,
                           .chip = chip_for_tests(soc),
                           .groups = {{.name = "decoder", .graphs = std::move(graphs), .weights_sha256 = weights_sha256_}},
                           .cache_folder = folder_ / "cache",
                           .log_folder = folder_.path()},
                          silent);
  }
  std::set<std::string> files(const std::string& output) const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / output)) names.insert(entry.path().filename().string());
    return names;
  }

  FolderForTests folder_;
  std::string weights_sha256_;
};

TEST_F(EmulatedCompile, GraphsShareOneContextWhereTheChipCanAndHaveOneEachWhereNot) {
  struct Case {
    const char* soc;
    std::size_t binaries;
  };
  for (const Case& c : {Case{"sm8750", 1}, Case{"sm8650", 1}, Case{"sm8450", 2}}) {
    auto groups = compile(c.soc, c.soc);
    ASSERT_TRUE(groups.ok()) << groups.error().message;
    ASSERT_EQ(groups->size(), c.binaries) << c.soc;
    std::set<std::string> expected;
    for (const CompiledGroup& group : *groups) {
      EXPECT_FALSE(group.cached);
      EXPECT_GT(group.bytes, 0u);
      EXPECT_EQ(group.bytes, std::filesystem::file_size(folder_ / c.soc / group.binary));
      expected.insert(group.binary);
      for (const CompiledGraph& graph : group.graphs) expected.insert({graph.wrapper, graph.name + "_qnn_graph.json"});
    }
    EXPECT_EQ(files(c.soc), expected) << c.soc;
    EXPECT_TRUE(expected.contains("decoder_ar8_ctx.onnx") && expected.contains("decoder_ar1_ctx.onnx"));
  }
}

TEST_F(EmulatedCompile, ASecondRunTakesTheSameBytesFromTheCacheAndADamagedEntryIsMadeAgain) {
  auto first = compile("sm8750", "first");
  ASSERT_TRUE(first.ok()) << first.error().message;
  auto second = compile("sm8750", "second");
  ASSERT_TRUE(second.ok());
  EXPECT_TRUE(second->front().cached);
  EXPECT_EQ(files("second"), files("first"));
  for (const std::string& name : files("first")) EXPECT_EQ(folder_.read("second/" + name), folder_.read("first/" + name)) << name;

  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "cache/contexts"))
    std::filesystem::resize_file(entry.path() / first->front().binary, 100);
  auto third = compile("sm8750", "third");
  ASSERT_TRUE(third.ok());
  EXPECT_FALSE(third->front().cached);
  EXPECT_EQ(third->front().bytes, first->front().bytes);
  EXPECT_TRUE(compile("sm8750", "fourth").value().front().cached) << "the entry was healed";
  EXPECT_FALSE(compile("sm8650", "other chip").value().front().cached);
}

TEST_F(EmulatedCompile, TooLittleMemoryIsToldBeforeAnythingIsCompiledUnlessTheCacheHasIt) {
  std::filesystem::create_directories(folder_ / "out");
  CompileRequest request{.program = FASTVLM_PROGRAM,
                         .runtimes = runtimes_for_tests(),
                         .graph_folder = folder_ / "npu",
                         .output_folder = folder_ / "out",
                         .chip = chip_for_tests("sm8750"),
                         .groups = {{.name = "decoder", .graphs = {"decoder_ar8", "decoder_ar1"}, .weights_sha256 = weights_sha256_}},
                         .cache_folder = folder_ / "cache",
                         .log_folder = folder_.path(),
                         .memory = 100'000'000};
  Progress silent;
  auto refused = compile_groups(request, silent);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::kEnvironment);
  EXPECT_TRUE(
      refused.error().message.starts_with("compiling decoder for sm8750 takes about 0.5 GB of memory, but only 0.1 GB are available; "))
      << refused.error().message;
  EXPECT_TRUE(files("out").empty());
  ASSERT_TRUE(compile("sm8750", "first").ok());
  EXPECT_TRUE(compile_groups(request, silent).ok());
}

TEST_F(EmulatedCompile, WhatIsCompiledWeighsTheSameAsAGraphAndAsAFile) {
  CompileLoadSum files;
  for (const char* graph : {"npu/decoder_ar8.onnx", "npu/decoder_ar1.onnx"}) ASSERT_TRUE(files.add(folder_ / graph).ok());
  EXPECT_EQ(files.load().weight_bytes, 2u * 64 * 64) << "the weight that both share counts once, in half precision";
  EXPECT_EQ(files.load().graphs, 2u);
  EXPECT_EQ(files.load().largest_value_bytes, 2u * 8 * 64) << "the shapes between the edges are not in the file";
  Graph graph("one");
  const WeightPtr weight = Weight::of_values({4, 8}, std::vector<float>(32, 1), "test");
  Value x = graph.add_input("x", Dtype::kFloat32, {1, 1, 8});
  graph.add_output(ops::add(ops::linear(x, weight), ops::linear(x, weight)), "y");
  CompileLoadSum graphs;
  graphs.add(graph);
  EXPECT_EQ(graphs.load().weight_bytes, 2u * 32);
  EXPECT_EQ(graphs.load().largest_value_bytes, 2u * 4);
  EXPECT_FALSE(files.add(folder_ / "missing.onnx").ok());
}

TEST_F(EmulatedCompile, ASymbolicExtentIsNamed) {
  Graph graph("symbolic");
  Value x = graph.add_input("x", Dtype::kFloat32, {1, "length", 64});
  graph.add_output(ops::relu(x), "y");
  const Path model = folder_.write("npu/symbolic.onnx", to_onnx(graph, {}, {}).value());
  auto groups = compile("sm8750", "out", {"symbolic"});
  ASSERT_FALSE(groups.ok());
  EXPECT_EQ(groups.error().kind, ErrorKind::kBadInput);
  EXPECT_EQ(groups.error().message,
            model.string() + ": input \"x\": the shape [1, length, 64] depends on length; fixed numbers are needed");
}

TEST_F(EmulatedCompile, WhatTheBackendRefusesIsNamedWithTheLog) {
  Graph graph("erf");
  graph.add_output(ops::erf(graph.add_input("x", Dtype::kFloat32, {1, 64})), "y");
  folder_.write("npu/erf.onnx", to_onnx(graph, {}, {}).value());
  auto groups = compile("sm8750", "out", {"erf"});
  ASSERT_FALSE(groups.ok());
  EXPECT_NE(groups.error().message.find("erf.onnx: the backend refused it: Node name: Erf"), std::string::npos) << groups.error().message;
  EXPECT_NE(groups.error().message.find("(target sm8750, log " + folder_.path().string()), std::string::npos) << groups.error().message;
  EXPECT_TRUE(files("out").empty()) << "nothing half made is left";
}

TEST_F(EmulatedCompile, AChildThatEndsWithoutAnAnswerIsDescribed) {
  std::filesystem::create_directories(folder_ / "out");
  Progress silent;
  auto groups = compile_groups({.program = "/bin/false",
                                .runtimes = runtimes_for_tests(),
                                .graph_folder = folder_ / "npu",
                                .output_folder = folder_ / "out",
                                .chip = chip_for_tests("sm8750"),
                                .groups = {{.name = "decoder", .graphs = {"decoder_ar1"}}},
                                .log_folder = folder_.path()},
                               silent);
  ASSERT_FALSE(groups.ok());
  EXPECT_EQ(groups.error().kind, ErrorKind::kEnvironment);
  EXPECT_TRUE(groups.error().message.starts_with("the compiling process ended with exit code 1")) << groups.error().message;
  EXPECT_TRUE(files("out").empty());
}

}  // namespace
}  // namespace fastvlm::qnn
