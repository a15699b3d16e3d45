#include "fastvlm/run/ort_runner.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "fastvlm/base/interrupt.h"
#include "fastvlm/run/runtimes_for_tests.h"
#include "fastvlm/run/tiny_model_for_tests.h"

namespace fastvlm {
namespace {

const std::vector<float> kWeight = {1, 2, 3, 4, 5, 6};

// joined = [past; x], y = joined · W: the shape of a decoder with a cache, where the past may be empty.
tiny::Model cache_model(std::string weight) {
  return {.nodes = {tiny::node("Concat", {"past", "x"}, "joined", tiny::integer_attribute("axis", 0)),
                    tiny::node("MatMul", {"joined", "w"}, "y")},
          .weights = {std::move(weight)},
          .inputs = {tiny::value_info("past", {"slots", 3}), tiny::value_info("x", {"tokens", 3})},
          .outputs = {tiny::value_info("joined", {"all", 3}), tiny::value_info("y", {"all", 2})}};
}

class OrtRunnerTest : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_);
    const std::string bytes(reinterpret_cast<const char*>(kWeight.data()), kWeight.size() * sizeof(float));
    ASSERT_TRUE(write_file_atomically(folder_ / "weights.bin", bytes).ok());
    ASSERT_TRUE(write_file_atomically(file_, cache_model(external()).bytes()).ok());
  }
  static void write_text(const Path& path, const std::string& text) {
    std::filesystem::create_directories(path.parent_path());
    ASSERT_TRUE(write_file_atomically(path, text).ok());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static std::string external() { return tiny::external_weight("w", {3, 2}, "weights.bin"); }
  static std::vector<NamedTensor> inputs(std::int64_t slots) {
    Tensor past = Tensor::zeros(Dtype::kFloat32, {slots, 3});
    std::fill(past.floats().begin(), past.floats().end(), 1.0f);
    return {{"x", Tensor::of_floats({1, 3}, std::vector<float>{1, 0, 1})}, {"past", std::move(past)}};
  }

  std::shared_ptr<OrtRuntime> runtime_ = onnxruntime_for_tests();
  Path folder_ = Path(testing::TempDir()) / fmt::format("ort_runner_test.{}", ::getpid());
  Path file_ = folder_ / "tiny.onnx";
};

TEST_F(OrtRunnerTest, DescribesTheGraphAsTheFileDeclaresIt) {
  auto runner = OrtRunner::open(runtime_, file_);
  ASSERT_TRUE(runner.ok()) << runner.error().message;
  ASSERT_EQ((*runner)->inputs().size(), 2u);
  EXPECT_EQ((*runner)->inputs()[0].name, "past");
  EXPECT_EQ((*runner)->inputs()[0].dtype, Dtype::kFloat32);
  EXPECT_EQ((*runner)->inputs()[0].shape, (Shape{-1, 3}));
  ASSERT_EQ((*runner)->outputs().size(), 2u);
  EXPECT_EQ((*runner)->outputs()[1].name, "y");
}

TEST_F(OrtRunnerTest, RunsAgainAndAgainWithAnyExtentAlsoNone) {
  auto runner = OrtRunner::open(runtime_, file_, {.threads = 1, .disable_prepacking = true});
  ASSERT_TRUE(runner.ok()) << runner.error().message;
  for (std::int64_t slots : {0, 2, 0, 1}) {
    auto results = run(**runner, inputs(slots));
    ASSERT_TRUE(results.ok()) << results.error().message;
    ASSERT_EQ(results->size(), 2u);
    const Tensor& y = (*results)[1].tensor;
    EXPECT_EQ(y.shape, (Shape{slots + 1, 2}));
    EXPECT_EQ(y.floats()[y.floats().size() - 2], 6);
    EXPECT_EQ(y.floats()[y.floats().size() - 1], 8);
  }
}

TEST_F(OrtRunnerTest, GivesTheWantedOutputsInTheWantedOrder) {
  auto runner = OrtRunner::open(runtime_, file_);
  ASSERT_TRUE(runner.ok()) << runner.error().message;
  auto one = run(**runner, inputs(0), std::vector<std::string>{"y"});
  ASSERT_TRUE(one.ok());
  ASSERT_EQ(one->size(), 1u);
  EXPECT_EQ((*one)[0].name, "y");
  auto turned = run(**runner, inputs(0), std::vector<std::string>{"y", "joined"});
  ASSERT_TRUE(turned.ok());
  EXPECT_EQ((*turned)[1].name, "joined");
  auto unknown = run(**runner, inputs(0), std::vector<std::string>{"z"});
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().message, file_.string() + ": the graph has no output \"z\"");
}

// As in the folders of a download cache, and as probes of a folder that cannot be written to.
TEST_F(OrtRunnerTest, LooksBehindLinksToDataInOtherFolders) {
  for (const char* name : {"weights.bin", "0123abcd"}) {
    const Path model = folder_ / "links" / "tiny.onnx", real = folder_ / "real" / name;
    for (const Path& path : {model, real}) std::filesystem::create_directories(path.parent_path());
    std::filesystem::copy_file(file_, model);
    std::filesystem::copy_file(folder_ / "weights.bin", real);
    std::filesystem::create_symlink(real, folder_ / "links" / "weights.bin");
    const std::vector<LinkedData> data = linked_data(model);
    ASSERT_EQ(data.size(), 1u);
    EXPECT_EQ(data[0].name, "weights.bin");
    EXPECT_EQ(common_folder(data).empty(), real.filename() != "weights.bin");
    auto runner = OrtRunner::open(runtime_, model);
    ASSERT_TRUE(runner.ok()) << name << ": " << runner.error().message;
    auto results = run(**runner, inputs(0));
    ASSERT_TRUE(results.ok()) << results.error().message;
    EXPECT_EQ((*results)[1].tensor.floats()[0], 6);
    std::filesystem::remove_all(model.parent_path());
  }
  EXPECT_TRUE(linked_data(file_).empty());
}

TEST_F(OrtRunnerTest, LinksInTheFolderThatTheModelDoesNotNameDoNotCount) {
  write_text(folder_ / "real" / "text", "x");
  std::filesystem::create_symlink(folder_ / "real" / "text", folder_ / "tokenizer.json");
  EXPECT_TRUE(linked_data(file_).empty());
  auto runner = OrtRunner::open(runtime_, file_);
  ASSERT_TRUE(runner.ok()) << runner.error().message;
}

TEST_F(OrtRunnerTest, WhenOneOfTwoDataFilesIsALinkBothAreFound) {
  tiny::Model two = cache_model(external());
  two.weights.push_back(tiny::external_weight("v", {2, 2}, "sub/more.bin"));
  two.nodes.push_back(tiny::node("MatMul", {"y", "v"}, "z"));
  two.outputs.push_back(tiny::value_info("z", {"all", 2}));
  const Path model = folder_ / "two" / "tiny.onnx";
  write_text(folder_ / "two" / "sub" / "more.bin", std::string(4 * sizeof(float), '\0'));
  write_text(model, two.bytes());
  std::filesystem::create_symlink(folder_ / "weights.bin", folder_ / "two" / "weights.bin");
  EXPECT_EQ(linked_data(model).size(), 2u);
  auto runner = OrtRunner::open(runtime_, model);
  ASSERT_TRUE(runner.ok()) << runner.error().message;
  auto results = run(**runner, inputs(0));
  ASSERT_TRUE(results.ok()) << results.error().message;
  EXPECT_EQ((*results)[1].tensor.floats()[0], 6);
  EXPECT_EQ((*results)[2].tensor.floats()[0], 0);
}

TEST_F(OrtRunnerTest, OpensAModelFromMemoryWithItsDataElsewhere) {
  const std::string model = cache_model(external()).bytes();
  auto runner = OrtRunner::open(runtime_, {.bytes = as_bytes(model), .what = "memory", .data_folder = folder_});
  ASSERT_TRUE(runner.ok()) << runner.error().message;
  auto results = run(**runner, inputs(0));
  ASSERT_TRUE(results.ok()) << results.error().message;
  EXPECT_EQ((*results)[1].tensor.floats()[0], 6);
}

TEST_F(OrtRunnerTest, NamesTheInputThatDoesNotFit) {
  auto runner = OrtRunner::open(runtime_, file_);
  ASSERT_TRUE(runner.ok()) << runner.error().message;
  auto message = [&](std::vector<NamedTensor> given) {
    auto results = run(**runner, given);
    return results.ok() ? std::string("accepted") : results.error().message.substr(file_.string().size());
  };
  const Tensor row = Tensor::zeros(Dtype::kFloat32, {1, 3});
  EXPECT_EQ(message({{"x", row}}), ": the input \"past\" is missing");
  EXPECT_EQ(message({{"x", row}, {"q", row}}), ": the graph has no input \"q\", or it was given twice");
  EXPECT_EQ(message({{"x", row}, {"x", row}}), ": the graph has no input \"x\", or it was given twice");
  EXPECT_EQ(message({{"x", Tensor::zeros(Dtype::kFloat16, {1, 3})}}),
            ": the input \"x\" is float16 [1, 3], but the graph wants float32 [?, 3]");
  EXPECT_EQ(message({{"x", Tensor::zeros(Dtype::kFloat32, {1, 4})}}),
            ": the input \"x\" is float32 [1, 4], but the graph wants float32 [?, 3]");
}

TEST_F(OrtRunnerTest, RefusesFilesThatAreNoModelWithOneSentence) {
  ASSERT_TRUE(write_file_atomically(folder_ / "noise.onnx", "this is no model").ok());
  auto noise = OrtRunner::open(runtime_, folder_ / "noise.onnx");
  ASSERT_FALSE(noise.ok());
  EXPECT_EQ(noise.error().kind, ErrorKind::kBadInput);
  EXPECT_EQ(noise.error().message.find((folder_ / "noise.onnx").string() + ": ONNX Runtime "), 0u) << noise.error().message;
  EXPECT_EQ(noise.error().message.find('\n'), std::string::npos);

  std::filesystem::remove(folder_ / "weights.bin");
  EXPECT_FALSE(OrtRunner::open(runtime_, file_).ok());
  EXPECT_FALSE(OrtRunner::open(runtime_, folder_ / "absent.onnx").ok());
}

TEST_F(OrtRunnerTest, AnInterruptStopsTheNextRun) {
  auto runner = OrtRunner::open(runtime_, file_);
  ASSERT_TRUE(runner.ok()) << runner.error().message;
  std::stop_source stop;
  const StopScope scope(stop.get_token());
  stop.request_stop();
  auto results = run(**runner, inputs(0));
  ASSERT_FALSE(results.ok());
  EXPECT_EQ(results.error().kind, ErrorKind::kInterrupted);
}

TEST_F(OrtRunnerTest, AProviderThatNobodyRegisteredIsAnEnvironmentError) {
  auto runner = OrtRunner::open(runtime_, file_, {.provider = ExecutionProvider{.name = "NobodyExecutionProvider"}});
  ASSERT_FALSE(runner.ok());
  EXPECT_EQ(runner.error().kind, ErrorKind::kEnvironment);
}

// The settings of a run on the emulated NPU, without any node left to the CPU. With the full path of the backend: a
// sanitizer that stands between the plug-in and the loader hides the plug-in's own library path.
OrtRunnerOptions on_npu() {
  const std::string backend = (runtimes_for_tests().qnn_folder / "libQnnHtp.so").string();
  return {.provider = ExecutionProvider{.name = "QNNExecutionProvider", .options = {{"backend_path", backend}, {"soc_model", "69"}}},
          .session_entries = {{"session.disable_cpu_ep_fallback", "1"}}};
}

TEST_F(OrtRunnerTest, RunsAStaticGraphOnTheEmulatedNpu) {
  ASSERT_TRUE(runtime_->register_provider("QNNExecutionProvider", runtimes_for_tests().qnn_plugin).ok());
  std::vector<float> values(32 * 32);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<float>(i));
  const tiny::Model model{.nodes = {tiny::node("MatMul", {"x", "w"}, "y")},
                          .weights = {tiny::weight("w", {32, 32}, values)},
                          .inputs = {tiny::value_info("x", {1, 4, 32})},
                          .outputs = {tiny::value_info("y", {1, 4, 32})}};
  ASSERT_TRUE(write_file_atomically(folder_ / "static.onnx", model.bytes()).ok());
  auto npu = OrtRunner::open(runtime_, folder_ / "static.onnx", on_npu());
  ASSERT_TRUE(npu.ok()) << npu.error().message;
  auto cpu = OrtRunner::open(runtime_, folder_ / "static.onnx");
  ASSERT_TRUE(cpu.ok()) << cpu.error().message;
  const std::vector<NamedTensor> x = {{"x", Tensor::of_floats({1, 4, 32}, std::span(values).first(128))}};
  auto got = run(**npu, x);
  auto want = run(**cpu, x);
  ASSERT_TRUE(got.ok()) << got.error().message;
  ASSERT_TRUE(want.ok()) << want.error().message;
  double signal = 0, noise = 0;
  for (std::size_t i = 0; i < 128; ++i) {
    const double reference = (*want)[0].tensor.floats()[i], difference = (*got)[0].tensor.floats()[i] - reference;
    signal += reference * reference;
    noise += difference * difference;
  }
  EXPECT_GT(noise, 0) << "the NPU computes in float16: exact equality means that the CPU ran it";
  EXPECT_GT(10 * std::log10(signal / noise), 50);
}

TEST_F(OrtRunnerTest, TheLogNamesTheNodesThatTheEmulatedNpuRefuses) {
  ASSERT_TRUE(runtime_->register_provider("QNNExecutionProvider", runtimes_for_tests().qnn_plugin).ok());
  runtime_->take_log();
  auto runner = OrtRunner::open(runtime_, file_, on_npu());  // its extents are symbolic
  ASSERT_FALSE(runner.ok());
  EXPECT_EQ(runner.error().kind, ErrorKind::kBadInput);
  const std::string log = runtime_->take_log();
  EXPECT_NE(log.find("Node name: joined"), std::string::npos) << log;
  EXPECT_EQ(runtime_->take_log(), "");
}

TEST(OrtRuntime, ComesBackAfterTheLastUserOfTheEmulatedNpuIsGone) {
  const RuntimePaths paths = runtimes_for_tests();
  for (int round = 0; round < 3; ++round) {
    auto runtime = OrtRuntime::load(paths.onnxruntime_library);
    ASSERT_TRUE(runtime.ok()) << runtime.error().message;
    EXPECT_EQ((*runtime)->version(), "1.29.0");
    ASSERT_TRUE((*runtime)->register_provider("QNNExecutionProvider", paths.qnn_plugin).ok());
    auto again = OrtRuntime::load(paths.onnxruntime_library);
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(again->get(), runtime->get());
  }
}

TEST(OrtRuntime, RefusesFilesThatAreNotThatLibrary) {
  auto absent = OrtRuntime::load("/nowhere/libonnxruntime.so");
  ASSERT_FALSE(absent.ok());
  EXPECT_EQ(absent.error().kind, ErrorKind::kEnvironment);
  onnxruntime_for_tests();
  auto other = OrtRuntime::load("/proc/self/exe");
  ASSERT_FALSE(other.ok());
  EXPECT_NE(other.error().message.find("uses"), std::string::npos) << other.error().message;
}

TEST(OrtRuntime, APluginThatIsNoneIsAnError) {
  auto runtime = onnxruntime_for_tests();
  auto status = runtime->register_provider("Nothing", runtime->library());
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind, ErrorKind::kEnvironment);
}

}  // namespace
}  // namespace fastvlm
