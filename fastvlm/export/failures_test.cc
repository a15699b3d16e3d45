// Output folders that were damaged or put together wrongly: each of the classic failures must be found and named.
#include "fastvlm/base/hash.h"
#include "fastvlm/export/golden_export_for_tests.h"
#include "fastvlm/verify/verify.h"

namespace fastvlm {
namespace {

namespace fs = std::filesystem;

class Failures : public testing::Test {
 protected:
  void SetUp() override {
    ExportOptions options = golden_export("apple-tied", output(), 128);
    options.npu = NpuOptions{.targets = {"sm8750"}, .image_sizes = {128}, .prefill = {16}, .context = 64};
    export_or_fail(options);
  }
  Path output() const { return folder_.path() / "out"; }
  Path other() const { return folder_.path() / "other"; }

  // The manifest's hashes as if the folder had been exported like this.
  void rehash() const {
    auto manifest = OrderedJson::parse(text_of(output() / "manifest.json"));
    for (auto& row : manifest["files"]) {
      const std::string bytes = text_of(output() / row["name"].get<std::string>());
      row["bytes"] = bytes.size();
      row["sha256"] = sha256_of(bytes);
    }
    write_text(output() / "manifest.json", manifest.dump(1));
  }
  void copy_over(const std::string& from, const std::string& to) const {
    fs::copy_file(other() / from, output() / to, fs::copy_options::overwrite_existing);
  }
  VerifyReport verified() const {
    Progress silent;
    auto report = verify({.output_dir = output(), .open_cpu = cpu_for_tests()}, silent);
    EXPECT_TRUE(report.ok()) << report.error().message;
    return report.ok() ? *report : VerifyReport();
  }
  static void expect_miss(const VerifyReport& report, const std::string& check, const std::string& subject, const std::string& part) {
    std::string seen;
    for (const VerifyRow& row : report.rows) {
      if (row.outcome != Outcome::kMissed) continue;
      if (row.check == check && row.subject == subject && row.sentence.find(part) != std::string::npos) return;
      seen += fmt::format("{} {}: {}\n", row.check, row.subject, row.sentence);
    }
    ADD_FAILURE() << "no miss of " << check << " " << subject << " with \"" << part << "\"; seen:\n" << seen;
  }

  FolderForTests folder_;
};

TEST_F(Failures, AFreshExportPasses) {
  const VerifyReport report = verified();
  EXPECT_TRUE(report.passed());
  EXPECT_GE(report.count(Outcome::kPassed), 15);
}

TEST_F(Failures, ProjectionMismatchIsNamed) {
  // The decoder of a model of another width beside this tower.
  export_or_fail(golden_export("hf-untied-sharded", other(), 128));
  copy_over("fastvlm_decoder_with_projection.onnx", "fastvlm_decoder_with_projection.onnx");
  copy_over("fastvlm_decoder_with_projection.onnx.data", "fastvlm_decoder_with_projection.onnx.data");
  rehash();
  expect_miss(verified(), "graph", "fastvlm_decoder_with_projection.onnx",
              "projection mismatch: the projector's output width is 96, but the decoder's hidden size is 64");
}

TEST_F(Failures, AnUnsupportedOperatorIsNamed) {
  std::string model = text_of(output() / "npu/vision_128.onnx");
  // Of the same length, so that the message stays whole.
  const auto at = model.find("\x22\x07Sigmoid");
  ASSERT_NE(at, std::string::npos);
  model.replace(at, 9, "\x22\x07HardTan");
  write_text(output() / "npu/vision_128.onnx", model);
  rehash();
  expect_miss(verified(), "graph", "npu/vision_128.onnx", "HardTan");
}

TEST_F(Failures, ASymbolicExtentInAStaticGraphIsNamed) {
  fs::copy_file(output() / "fastvlm_vision_encoder.onnx", output() / "npu/vision_128.onnx", fs::copy_options::overwrite_existing);
  fs::copy_file(output() / "fastvlm_vision_encoder.onnx.data", output() / "npu/fastvlm_vision_encoder.onnx.data");
  rehash();
  expect_miss(verified(), "graph", "npu/vision_128.onnx", "batch_size");
}

TEST_F(Failures, AnEncoderForOneBatchSizeIsNamed) {
  fs::copy_file(output() / "npu/vision_128.onnx", output() / "fastvlm_vision_encoder.onnx", fs::copy_options::overwrite_existing);
  fs::copy_file(output() / "npu/vision.onnx.data", output() / "vision.onnx.data");
  rehash();
  expect_miss(verified(), "run", "fastvlm_vision_encoder.onnx", "fails with a batch of 2");
}

TEST_F(Failures, AChangedByteOfTheWeightsIsFoundByItsHash) {
  const Path path = output() / "npu/decoder.onnx.data";
  std::string data = text_of(path);
  data[data.size() / 2] = static_cast<char>(data[data.size() / 2] ^ 1);
  write_text(path, data);
  expect_miss(verified(), "files", "npu/decoder.onnx.data", "SHA-256");
}

TEST_F(Failures, ChangedWeightsUnderAFreshHashAreFoundByComparing) {
  const Path path = output() / "npu/decoder.onnx.data";
  std::string data = text_of(path);
  std::fill(data.begin(), data.begin() + 4096, '\0');
  write_text(path, data);
  rehash();
  EXPECT_FALSE(verified().passed());
}

TEST_F(Failures, ChangedWeightsUnderPictureGraphsOfAnotherSizeAreFoundByComparing) {
  ExportOptions options = golden_export("apple-tied", output(), 128);
  options.npu = NpuOptions{.targets = {"sm8750"}, .image_sizes = {256}, .prefill = {16}, .context = 64};
  options.force = true;
  export_or_fail(options);
  const Path path = output() / "npu/vision.onnx.data";
  std::string data = text_of(path);
  std::fill(data.begin() + static_cast<std::ptrdiff_t>(data.size() / 2), data.end(), '\0');
  write_text(path, data);
  rehash();
  expect_miss(verified(), "forms", "npu/vision_256.onnx image_features", "");
}

TEST_F(Failures, ATruncatedDataFileIsFoundWithoutItsHash) {
  fs::resize_file(output() / "fastvlm_vision_encoder.onnx.data", 4096);
  rehash();
  expect_miss(verified(), "graph", "fastvlm_vision_encoder.onnx", "4096");
}

TEST_F(Failures, AFolderFromAnotherCheckpointIsToldFromItsWeights) {
  Progress silent;
  auto report = verify({.output_dir = output(), .model_dir = golden_folder("hf-unfused") / "checkpoint"}, silent);
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_FALSE(report->passed());
  auto same = verify({.output_dir = output(), .model_dir = golden_folder("apple-tied") / "checkpoint"}, silent);
  ASSERT_TRUE(same.ok()) << same.error().message;
  EXPECT_TRUE(same->passed());
}

TEST_F(Failures, TheNpuComparisonNamesTheFirstValueThatDeparts) {
  // A "NPU" whose layer 1 computes with damaged weights, on graphs that are otherwise the same.
  fs::copy(output(), other(), fs::copy_options::recursive);
  auto manifest = OrderedJson::parse(text_of(output() / "manifest.json"));
  std::string data = text_of(other() / "npu/decoder.onnx.data");
  for (const auto& row : manifest["weights"])
    if (row["name"] == "model.layers.1.mlp.down_proj.weight" && row["file"] == "npu/decoder.onnx.data")
      std::fill_n(data.begin() + row["offset"].get<std::int64_t>(), row["bytes"].get<std::int64_t>(), '\0');
  write_text(other() / "npu/decoder.onnx.data", data);
  auto opened = open_output_folder(output());
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  const OpenGraph damaged = [this](const Path& model) {
    const Path there = other() / "npu" / model.filename();
    if (!fs::exists(there)) fs::copy_file(model, there);  // a model with probes
    return cpu_for_tests()(there);
  };
  VerifyReport report;
  ASSERT_TRUE(compare_npu_graphs(*opened, {.open_reference = cpu_for_tests(), .open_candidate = damaged}, report).ok());
  expect_miss(report, "npu", "decoder_ar16_cl64.onnx",
              "the first value that departs is \"model.layers.1.mlp.down_proj/MatMul:0\" (MatMul)");
  VerifyReport same;
  ASSERT_TRUE(compare_npu_graphs(*opened, {.open_reference = cpu_for_tests(), .open_candidate = cpu_for_tests()}, same).ok());
  EXPECT_TRUE(same.passed());
  EXPECT_GT(same.count(Outcome::kPassed), 10);
}

}  // namespace
}  // namespace fastvlm
