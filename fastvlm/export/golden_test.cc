// The whole way from a checkpoint to numbers, against what the reference implementation computed.
#include <set>

#include "fastvlm/export/golden_export_for_tests.h"
#include "fastvlm/session/probed_graph.h"
#include "fastvlm/session/run_graph.h"
#include "fastvlm/verify/verify.h"

namespace fastvlm {
namespace {

struct Case {
  const char* checkpoint;
  std::int64_t image_size;
};

std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.checkpoint << " at " << c.image_size; }

class Golden : public testing::TestWithParam<Case> {};

// Keys of the file that are inputs of the graphs.
bool is_input(const std::string& key) {
  return key.ends_with("input_ids") || key.ends_with("image_start") || key.ends_with("pixel_values");
}

std::string misses(const VerifyReport& report) {
  std::string text;
  for (const VerifyRow& row : report.rows)
    if (row.outcome == Outcome::kMissed)
      text +=
          fmt::format("{} {}: {} ({:.2e})\n", row.check, row.subject, row.sentence, row.difference ? row.difference->max_relative : 0.0);
  return text;
}

// The expected values with their pictures are written beside `output`.
Result<VerifyReport> verify_golden(const Path& output, const std::string& checkpoint) {
  Progress silent;
  return verify({.output_dir = output,
                 .model_dir = golden_folder(checkpoint) / "checkpoint",
                 .reference = write_golden(checkpoint, output.parent_path()),
                 .open_cpu = cpu_for_tests()},
                silent);
}

TEST_P(Golden, EveryKeyIsReproducedByPlainAndStaticGraphs) {
  FolderForTests folder;
  const Case& c = GetParam();
  ExportOptions options = golden_export(c.checkpoint, folder.path() / "out", c.image_size);
  options.npu = golden_npu();
  export_or_fail(options);
  auto report = verify_golden(folder.path() / "out", c.checkpoint);
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_TRUE(report->passed()) << misses(*report);

  std::set<std::string> compared, skipped;
  for (const VerifyRow& row : report->rows) {
    if (row.check != "golden") continue;
    (row.outcome == Outcome::kPassed ? compared : skipped).insert(row.subject);
    const double limit = row.sentence.starts_with("plain") ? 1e-5 : 1e-4;
    EXPECT_TRUE(!row.difference || row.difference->max_relative <= limit) << row.subject << " " << row.difference->max_relative;
  }
  auto expected = read_safetensors(golden_folder(c.checkpoint) / "expected.safetensors");
  ASSERT_TRUE(expected.ok());
  const std::string other = c.image_size == 128 ? "s256." : "s128.";
  for (const NamedTensor& tensor : *expected) {
    // The plain encoder has one size; for the other one the static graphs speak, which hold the projector as well.
    const bool needs_encoder =
        tensor.name.starts_with(other) && !tensor.name.ends_with("image_features") && !tensor.name.ends_with("first.logits");
    EXPECT_TRUE(is_input(tensor.name) || compared.contains(tensor.name) || (needs_encoder && skipped.contains(tensor.name))) << tensor.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, Golden,
                         testing::Values(Case{"apple-tied", 128}, Case{"apple-tied", 256}, Case{"hf-untied-sharded", 128},
                                         Case{"hf-untied-sharded", 256}, Case{"hf-unfused", 128}, Case{"hf-unfused", 256}));

TEST(GoldenForms, ADecoderInPartsAndPrefillWithoutLogitsComputeTheSame) {
  FolderForTests folder;
  ExportOptions options = golden_export("hf-untied-sharded", folder.path() / "out", 256);
  options.npu = golden_npu();
  options.npu->prefill_logits = false;
  options.npu->part_limit_bytes = 200'000;
  export_or_fail(options);
  auto opened = open_output_folder(folder.path() / "out");
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  EXPECT_EQ(std::ranges::count(opened->manifest.graphs, "decoder_ar1_cl64_part_1_of_4", &GraphEntry::name), 1);
  auto report = verify_golden(folder.path() / "out", "hf-untied-sharded");
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_TRUE(report->passed()) << misses(*report);
  std::set<std::string> compared;
  for (const VerifyRow& row : report->rows)
    if (row.check == "golden" && row.outcome == Outcome::kPassed) compared.insert(row.subject);
  for (const char* key :
       {"chat.greedy_ids", "chat.step_logits", "chat.logits", "chat.hidden.1", "chat.hidden.2", "chat.key.2", "chat.value.2"})
    EXPECT_TRUE(compared.contains(key)) << key;
}

TEST(GoldenForms, PictureGraphsOfOtherSizesAreComparedWithThePlainEncoderAtTheirs) {
  FolderForTests folder;
  ExportOptions options = golden_export("hf-untied-sharded", folder.path() / "out", 256);
  options.npu = NpuOptions{.targets = {"sm8750"}, .image_sizes = {64, 320}, .prefill = {16}, .context = 64};
  export_or_fail(options);
  Progress silent;
  auto report = verify({.output_dir = folder.path() / "out", .open_cpu = cpu_for_tests()}, silent);
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_TRUE(report->passed()) << misses(*report);
  EXPECT_EQ(report->count(Outcome::kNotCompared), 0);
  const auto pictures = [](const VerifyRow& row) { return row.check == "forms" && row.subject.find("vision_") != std::string::npos; };
  EXPECT_EQ(std::ranges::count_if(report->rows, pictures), 2);
}

// The reference for another size is the encoder that export writes for that size, to the last bit.
TEST(GoldenForms, TheEncoderAtAnotherSizeIsThatOfAnExportOfThatSize) {
  FolderForTests folder;
  for (std::int64_t size : {128, 256}) export_or_fail(golden_export("apple-tied", folder.path() / fmt::format("{}", size), size));
  const Tensor pixels = random_floats({1, 3, 128, 128}, 0, 1, 3);
  const auto file = [&](const char* size) { return folder.path() / size / "fastvlm_vision_encoder.onnx"; };
  auto changed = open_at_picture_size(file("256"), 128, cpu_for_tests());
  ASSERT_TRUE(changed.ok()) << changed.error().message;
  auto exported = cpu_for_tests()(file("128"));
  ASSERT_TRUE(exported.ok()) << exported.error().message;
  auto a = run_for(**changed, {{"pixel_values", pixels}}, "image_features"),
       b = run_for(**exported, {{"pixel_values", pixels}}, "image_features");
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ(a->shape, (Shape{1, 4, 256}));
  EXPECT_EQ(a->bytes, b->bytes);
}

TEST(GoldenForms, HalfPrecisionStaysWithinItsGate) {
  FolderForTests folder;
  ExportOptions options = golden_export("apple-tied", folder.path() / "out", 256);
  options.dtype = Dtype::kFloat16;
  options.npu = golden_npu();
  options.npu->io_dtype = Dtype::kFloat16;
  export_or_fail(options);
  auto report = verify_golden(folder.path() / "out", "apple-tied");
  ASSERT_TRUE(report.ok()) << report.error().message;
  for (const VerifyRow& row : report->rows) {
    // With random weights the best two logits may lie closer than half precision can tell.
    EXPECT_TRUE(row.subject == "chat.greedy_ids" || row.outcome != Outcome::kMissed)
        << row.check << " " << row.subject << ": " << row.sentence;
  }
}

TEST(GoldenForms, WithoutStaticGraphsTheChatKeysAreNotCompared) {
  FolderForTests folder;
  export_or_fail(golden_export("apple-tied", folder.path() / "out", 256));
  auto report = verify_golden(folder.path() / "out", "apple-tied");
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_TRUE(report->passed()) << misses(*report);
  auto row = std::ranges::find(report->rows, "chat.logits", &VerifyRow::subject);
  ASSERT_NE(row, report->rows.end());
  EXPECT_EQ(row->outcome, Outcome::kNotCompared);
  EXPECT_NE(row->sentence.find("needs npu/"), std::string::npos);
}

}  // namespace
}  // namespace fastvlm
