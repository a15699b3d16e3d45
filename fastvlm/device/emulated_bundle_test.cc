// From a trained checkpoint to a bundle whose self-test runs on the emulated NPU in the device's place.
#include "fastvlm/compile/compile_output.h"
#include "fastvlm/compile/graph_opener.h"
#include "fastvlm/device/check_results.h"
#include "fastvlm/device/make_bundle.h"
#include "fastvlm/device/run_selftest.h"
#include "fastvlm/export/trained_in_integers_for_tests.h"
#include "fastvlm/process/process.h"

namespace fastvlm::device {
namespace {

const RuntimeSearch kRuntimes = {.cache_folder = default_cache_folder(std::getenv("XDG_CACHE_HOME"), std::getenv("HOME"))};

// Vision, chunk and single token with keys and values of four layers, an answer, and two graphs with probes.
constexpr std::size_t kSelfTestRows = 1 + 8 + 9 + 4 + 2;

class EmulatedBundle : public testing::Test {
 protected:
  ExportOptions exported() const {
    return {.model_dir = kTrained / "checkpoint",
            .output_dir = folder_ / "out",
            .image_size = 256,
            .threads = 2,
            .npu = NpuOptions{.targets = {chip_}, .image_sizes = {256}, .prefill = {32}, .context = 128}};
  }
  void export_trained() { export_trained(exported()); }
  void export_trained(const ExportOptions& options) {
    export_or_fail(options);
    Progress silent;
    const auto compiled =
        compile_output({.output_dir = folder_ / "out", .targets = {chip_}, .runtimes = kRuntimes, .program = FASTVLM_PROGRAM}, silent);
    ASSERT_TRUE(compiled.ok()) << compiled.error().message;
  }
  BundleOptions options(const std::string& from, const std::string& to) {
    return {.output_dir = folder_ / from,
            .bundle_dir = folder_ / to,
            .target = chip_,
            .unshared = true,
            .probe = true,
            .pictures = {kTrained / "eval/000.png"},
            .question = "What color is the cross?",
            .answer_rows = 3,
            .open_cpu = cpu_for_tests(),
            .runtimes = kRuntimes,
            .program = FASTVLM_PROGRAM};
  }
  void bundle_or_fail(const BundleOptions& options) {
    Progress silent;
    const auto report = make_bundle(options, silent);
    ASSERT_TRUE(report.ok()) << report.error().message;
  }
  void run_or_fail(const std::string& bundle, const std::string& results) {
    const auto open = graph_opener({.output_dir = folder_ / bundle, .chip = chip_, .runtimes = kRuntimes, .program = FASTVLM_PROGRAM});
    ASSERT_TRUE(open.ok()) << open.error().message;
    Progress silent;
    const auto report = run_selftest({.bundle = folder_ / bundle,
                                      .results = folder_ / results,
                                      .open = *open,
                                      .check = {.reading = {.program = FASTVLM_PROGRAM, .runtimes = kRuntimes}}},
                                     silent);
    ASSERT_TRUE(report.ok()) << report.error().message;
  }
  VerifyReport compare(const std::string& bundle, const std::string& results) {
    auto report = check_results({.bundle = folder_ / bundle, .results = folder_ / results, .gates = {}});
    EXPECT_TRUE(report.ok()) << report.error().message;
    return report.ok() ? *report : VerifyReport();
  }
  std::string missed(const VerifyReport& report) {
    std::string sentences;
    for (const VerifyRow& row : report.rows)
      if (row.outcome == Outcome::kMissed) sentences += row.subject + ": " + row.sentence + "\n";
    return sentences;
  }
  // Turns the signs of one weight in the data of the static graphs.
  void damage(const std::string& output, const std::string& weight) {
    auto manifest = read_manifest(folder_ / output);
    ASSERT_TRUE(manifest.ok());
    const auto entry =
        std::ranges::find_if(manifest->weights, [&](const WeightEntry& row) { return row.name == weight && row.file.starts_with("npu/"); });
    ASSERT_NE(entry, manifest->weights.end()) << weight;
    std::string bytes = text_of(folder_ / output / entry->file);
    for (std::uint64_t at = entry->offset + 3; at < entry->offset + entry->bytes; at += 4) bytes[at] ^= static_cast<char>(0x80);
    write_text(folder_ / output / entry->file, bytes);
  }
  std::string chip_ = "sm8750";
  FolderForTests folder_;
};

TEST_F(EmulatedBundle, TheSelfTestPassesAndADamagedLayerIsNamed) {
  ASSERT_NO_FATAL_FAILURE(export_trained());
  ASSERT_NO_FATAL_FAILURE(bundle_or_fail(options("out", "phone")));
  ASSERT_NO_FATAL_FAILURE(run_or_fail("phone", "results"));
  // Contexts that were compiled for the bundle alone have other bytes than those of the export.
  const auto contract = read_manifest(folder_ / "phone");
  ASSERT_TRUE(contract.ok()) << contract.error().message;
  EXPECT_TRUE(check_manifest_files(folder_ / "phone", *contract, /*hashes=*/true)->empty());
  const VerifyReport good = compare("phone", "results");
  EXPECT_TRUE(good.passed()) << missed(good);
  EXPECT_EQ(good.count(Outcome::kNotCompared), 0);
  EXPECT_EQ(good.rows.size(), kSelfTestRows);

  // The same weights but one, compiled, and put in the place of the bundle's contexts.
  std::filesystem::copy(folder_ / "out", folder_ / "bad", std::filesystem::copy_options::recursive);
  ASSERT_NO_FATAL_FAILURE(damage("bad", "model.layers.2.mlp.down_proj.weight"));
  ASSERT_NO_FATAL_FAILURE(bundle_or_fail(options("bad", "other")));
  std::filesystem::remove_all(folder_ / "phone/npu");
  std::filesystem::copy(folder_ / "other/npu", folder_ / "phone/npu", std::filesystem::copy_options::recursive);
  auto manifest = read_bundle(folder_ / "phone");
  ASSERT_TRUE(manifest.ok() && write_bundle(folder_ / "phone", *manifest).ok());
  ASSERT_NO_FATAL_FAILURE(run_or_fail("phone", "damaged"));
  const std::string sentences = missed(compare("phone", "damaged"));
  EXPECT_NE(sentences.find("the first tensor that departs is \"model.layers.2\" of layer 2"), std::string::npos) << sentences;
}

// A folder whose edges are codes: the self-test is in float32 all the same.
TEST_F(EmulatedBundle, TheSelfTestOfCodesPasses) {
  ExportOptions codes = exported();
  codes.npu->recipes = {find_recipe("w8a16").value()};
  codes.npu->vision_recipe = find_recipe("w8a16").value();
  codes.npu->integer_edges = {.cache = Dtype::kUint16, .others = true};
  codes.ranges = RangeOptions{.ranges = ranges_of_trained()};
  ASSERT_NO_FATAL_FAILURE(export_trained(codes));
  BundleOptions bundle = options("out", "phone");
  bundle.recipe = "w8a16";
  // Knows of the codes, as those of the program do.
  const auto open_cpu = graph_opener({.output_dir = folder_ / "out", .runtimes = kRuntimes, .program = FASTVLM_PROGRAM});
  ASSERT_TRUE(open_cpu.ok()) << open_cpu.error().message;
  bundle.open_cpu = *open_cpu;
  ASSERT_NO_FATAL_FAILURE(bundle_or_fail(bundle));
  ASSERT_NO_FATAL_FAILURE(run_or_fail("phone", "results"));
  const VerifyReport report = compare("phone", "results");
  for (const VerifyRow& row : report.rows) EXPECT_EQ(row.outcome, Outcome::kPassed) << row.subject << ": " << row.sentence;
  EXPECT_EQ(report.rows.size(), kSelfTestRows);
}

// Numbers between two codes fall to either, on an NPU that computes nothing else.
TEST_F(EmulatedBundle, TheSelfTestOfIntegersPasses) {
  chip_ = "sm8350";
  ExportOptions integers = exported();
  integers.npu->recipes = {find_recipe("w8a16-int").value()};
  integers.npu->vision_recipe = find_recipe("w8a16").value();
  integers.ranges = RangeOptions{.ranges = ranges_of_trained()};
  ASSERT_NO_FATAL_FAILURE(export_trained(integers));
  BundleOptions bundle = options("out", "phone");
  bundle.recipe = "w8a16-int";
  ASSERT_NO_FATAL_FAILURE(bundle_or_fail(bundle));
  ASSERT_NO_FATAL_FAILURE(run_or_fail("phone", "results"));
  const VerifyReport report = compare("phone", "results");
  EXPECT_TRUE(report.passed()) << missed(report);
  EXPECT_EQ(report.rows.size(), kSelfTestRows);
}

TEST_F(EmulatedBundle, IsTalkedToThroughItsOwnScript) {
  ASSERT_NO_FATAL_FAILURE(export_trained());
  BundleOptions unshared = options("out", "phone"), shared = options("out", "shared");
  unshared.probe = shared.probe = shared.unshared = false;
  ASSERT_NO_FATAL_FAILURE(bundle_or_fail(unshared));
  ASSERT_NO_FATAL_FAILURE(bundle_or_fail(shared));
  const auto ask = [&](const std::string& bundle) {
    return run_process({.program = "sh",
                        .arguments = {(folder_ / bundle / "run.sh").string(), "--image", (kTrained / "eval/000.png").string(), "--prompt",
                                      "What color is the cross?", "--any-chip"},
                        .environment = {{"FASTVLM_NPU", FASTVLM_PROGRAM}}})
        .value();
  };
  const ProcessResult answered = ask("phone");
  EXPECT_EQ(answered.exit_code, 0) << answered.output;
  EXPECT_NE(answered.output.find("purple\n"), std::string::npos) << answered.output;
  // Contexts with shared weights are for devices; the emulation says so.
  const ProcessResult refused = ask("shared");
  EXPECT_NE(refused.output.find("make the bundle unshared"), std::string::npos) << refused.output;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "shared/npu/vision_256.onnx"));
}

TEST_F(EmulatedBundle, ForGenieHasItsFolderAndRefusesForeignContexts) {
  ASSERT_NO_FATAL_FAILURE(export_trained());
  BundleOptions genie = options("out", "phone");
  genie.runtime = kGenie, genie.unshared = false, genie.probe = false;
  ASSERT_NO_FATAL_FAILURE(bundle_or_fail(genie));
  const Path phone = folder_ / "phone";
  auto manifest = read_bundle(phone);
  ASSERT_TRUE(manifest.ok()) << manifest.error().message;
  for (const char* name : {"text-encoder.json", "image-encoder.json", "text-generator.json", "genie_config.json", "metadata.json",
                           "htp_backend_ext_config.json", "tokenizer.json", "tokenizer_config.json", "prompt.json", "client.cc",
                           "embedding_weights.raw", "vision_256.bin"})
    EXPECT_TRUE(manifest->files.contains(std::string("genie/") + name)) << name;
  ASSERT_EQ(manifest->contexts.size(), 2u);
  EXPECT_EQ(manifest->contexts[0].graphs.size(), 2u);
  // The decoder is that of the export, one file on the disk.
  const Path decoder = phone / manifest->contexts[0].binary;
  EXPECT_EQ(std::filesystem::hard_link_count(decoder), 2u);
  const auto test = read_selftest(phone);
  ASSERT_TRUE(test.ok() && test->answers.size() == 1 && test->runs.empty());
  EXPECT_EQ(test->answers[0].ids.size(), 1u);  // "purple", and not the token that ends the turn

  const auto sentence = [&](const BundleManifest& changed) {
    const Status status = check_bundle(phone, changed, {.reading = {.program = FASTVLM_PROGRAM, .runtimes = kRuntimes}});
    return status.ok() ? "" : status.error().message;
  };
  EXPECT_EQ(sentence(*manifest), "");
  BundleManifest other = *manifest;
  other.soc_model = 57;
  EXPECT_NE(sentence(other).find("was compiled for another chip (SoC number 69)"), std::string::npos) << sentence(other);
  other = *manifest, other.chip = "sm8650";
  EXPECT_NE(sentence(other).find("is for sm8650, whose SoC number is 57, but says 69"), std::string::npos) << sentence(other);
  other = *manifest, other.compiler = "v2.48.0.250501010101";
  EXPECT_NE(sentence(other).find("was compiled with QAIRT 2.51.0, but the bundle says 2.48.0"), std::string::npos) << sentence(other);
  const std::string bytes = text_of(phone / "genie/vision_256.bin");
  write_text(phone / "genie/vision_256.bin", bytes.substr(0, bytes.size() / 2));
  EXPECT_NE(sentence(*manifest).find("vision_256.bin"), std::string::npos) << sentence(*manifest);
  std::filesystem::remove(decoder);
  EXPECT_NE(sentence(*manifest).find("is missing"), std::string::npos) << sentence(*manifest);

  // No graph of it is for this program, and Genie gives no tensor between the layers.
  EXPECT_NE(check_runs_graphs(phone, *manifest).error().message.find("run.sh"), std::string::npos);
  genie.probe = true, genie.force = true;
  EXPECT_EQ(plan_bundle(genie).error().option, "probe");
}

TEST_F(EmulatedBundle, ForGenieSaysWhatHasToBeExportedAnew) {
  export_or_fail({.model_dir = kTrained / "checkpoint",
                  .output_dir = folder_ / "half",
                  .image_size = 256,
                  .npu = NpuOptions{.targets = {chip_}, .prefill = {32}, .context = 128, .io_dtype = Dtype::kFloat16}});
  BundleOptions genie = options("half", "phone");
  genie.runtime = kGenie, genie.probe = false;
  EXPECT_NE(plan_bundle(genie).error().message.find("`io_dtype` float16"), std::string::npos);
  folder_.write("web/layouts.json", "{}");
  genie.output_dir = folder_ / "web";
  EXPECT_NE(plan_bundle(genie).error().message.find("export with `targets` and without `layouts` first"), std::string::npos);
}

}  // namespace
}  // namespace fastvlm::device
