// The whole way from a checkpoint to numbers, against what the reference implementation computed.
#include <set>

#include "fastvlm/export/golden_export_for_tests.h"
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
