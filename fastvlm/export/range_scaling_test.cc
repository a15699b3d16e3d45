// Streams beyond half precision: made large in a checkpoint, found by calibration, scaled, and still the same numbers.
#include <gtest/gtest.h>

#include <cmath>

#include "fastvlm/compile/graph_opener.h"
#include "fastvlm/export/calibrated_for_tests.h"
#include "fastvlm/export/edited_checkpoint_for_tests.h"
#include "fastvlm/quant/recipe.h"
#include "fastvlm/session/decoder_session.h"
#include "fastvlm/session/run_graph.h"
#include "fastvlm/tensor/compare.h"

namespace fastvlm {
namespace {

constexpr const char* kGolden = "hf-untied-sharded";
constexpr std::int64_t kSize = 128;

// A stage of the tower times 2^18, scaled back where it is read, and the residual stream of the decoder times 2^14.
int exponent_of(const std::string& name, int stage) {
  const auto has = [&](std::string_view part) { return name.find(part) != std::string::npos; };
  if (has(fmt::format("stages.{}.", stage))) {
    if (has("downsample.proj.1.") || has("layer_scale") || has("pos_emb.reparam_conv.bias")) return 18;
    return name.ends_with("mlp.conv.conv.weight") ? -18 : 0;
  }
  const std::string behind = stage == 4 ? "final_conv." : fmt::format("stages.{}.downsample.proj.0.", stage + 1);
  if (has(behind) && name.ends_with("reparam_conv.weight")) return -18;
  return has("o_proj.") || has("down_proj.") || has("embed_tokens.") || has("projector.linear_2.") ? 14 : 0;
}

Path large_checkpoint(const Path& folder, int stage) {
  EditedCheckpoint checkpoint(folder, kGolden);
  for (NamedTensor& named : checkpoint.tensors) {
    const int exponent = exponent_of(named.name, stage);
    if (exponent == 0) continue;
    named.tensor = to_float32(named.tensor.view());
    for (float& number : named.tensor.floats()) number = std::ldexp(number, exponent);
  }
  checkpoint.save();
  return folder;
}

class RangeScaling : public testing::Test {
 protected:
  void SetUp() override {
    model_ = large_checkpoint(folder_ / "model", 3);
    std::filesystem::create_directories(folder_ / "pictures");
    std::filesystem::copy(Path(FASTVLM_TEST_DATA) / "images/edge/exif1.jpg", folder_ / "pictures");
    ranges_ = measure(model_);
  }

  Ranges measure(const Path& model) const {
    return calibrated({.model_dir = model, .image_size = kSize, .chip = "sm8750", .pictures = folder_ / "pictures", .reply_tokens = 2});
  }

  ExportOptions options(const std::string& name, bool scaled, std::uint64_t part_limit = 0) const {
    ExportOptions options{.model_dir = model_, .output_dir = folder_ / name, .image_size = kSize, .threads = 2};
    options.npu = NpuOptions{.targets = {"sm8750"}, .prefill = {8}, .context = 32, .part_limit_bytes = part_limit};
    if (scaled) options.ranges = RangeOptions{.ranges = ranges_};
    return options;
  }

  // Features of a picture and logits of a prompt.
  struct Outputs {
    Tensor features;
    std::vector<float> logits;
  };
  static Outputs outputs_of(const Path& output, const OpenGraph& open) {
    Outputs outputs;
    const OutputFolder folder = open_output_folder(output).value();
    auto vision = open(output / folder.vision(kSize)->file).value();
    outputs.features = run_for(*vision, {{"pixel_values", random_floats({1, 3, kSize, kSize}, 0, 1, 1)}}, "image_features").value();
    auto session = open_decoder_session(folder, open).value();
    const std::int64_t ids[] = {5, 9, 200, 31, 77, 8, 1, 300, 12, 40};
    const Tensor rows = EmbeddingTable::open(folder).value().gather(ids).value();
    outputs.logits = session.prefill_all(rows.floats()).value();
    return outputs;
  }

  static Result<OpenGraph> on_npu(const Path& output) {
    return graph_opener({.output_dir = output,
                         .chip = "sm8750",
                         .runtimes = {.cache_folder = default_cache_folder(std::getenv("XDG_CACHE_HOME"), std::getenv("HOME"))},
                         .program = FASTVLM_PROGRAM});
  }

  FolderForTests folder_;
  Path model_;
  Ranges ranges_;
};

TEST_F(RangeScaling, FindsTheStreamsAndChangesNoNumberOnTheCpu) {
  export_or_fail(options("plain", false));
  const ExportReport report = export_or_fail(options("scaled", true));
  const Manifest manifest = read_manifest(folder_ / "scaled").value();
  bool tower = false, decoder = false;
  for (const RangeScale& scale : manifest.range_scales) {
    EXPECT_GT(scale.absmax, kLargestHalf / 8) << scale.name;
    EXPECT_LE(std::ldexp(scale.absmax, -static_cast<int>(scale.halvings)), kLargestHalf / 8) << scale.name;
    tower = tower || scale.name.find("stages.3.downsample") != std::string::npos;
    decoder = decoder || std::ranges::find(scale.modules, "model.layers.0") != scale.modules.end();
  }
  EXPECT_TRUE(tower);
  EXPECT_TRUE(decoder);
  EXPECT_FALSE(mentions(report.findings, "attention_mask"));
  const Outputs plain = outputs_of(folder_ / "plain", cpu_for_tests()), scaled = outputs_of(folder_ / "scaled", cpu_for_tests());
  EXPECT_LE(compare(scaled.features.floats(), plain.features.floats()).max_relative, 1e-5);
  EXPECT_LE(compare(scaled.logits, plain.logits).max_relative, 1e-5);
}

TEST_F(RangeScaling, TheSeamsOfACutDecoderCarryTheScaledStream) {
  export_or_fail(options("plain", false));
  export_or_fail(options("cut", true, /*part_limit=*/150'000));
  const OutputFolder cut = open_output_folder(folder_ / "cut").value();
  ASSERT_GT(std::ranges::max(cut.manifest.graphs, {}, [](const GraphEntry& g) { return g.extents.parts; }).extents.parts, 1);
  const Outputs whole = outputs_of(folder_ / "plain", cpu_for_tests()), parts = outputs_of(folder_ / "cut", cpu_for_tests());
  EXPECT_LE(compare(parts.logits, whole.logits).max_relative, 1e-5);
}

TEST_F(RangeScaling, StreamsBesideIntegerActivationsAreNotScaledAndHeedTheShare) {
  ExportOptions integers = options("integers", true);
  integers.npu->recipes = {find_recipe("w8a16").value()};
  for (auto& [name, range] : integers.ranges->ranges.values) range.min = std::ldexp(range.min, -14), range.max = std::ldexp(range.max, -14);
  EXPECT_TRUE(prepare_export(integers).ok());
  integers.ranges->share = 0x1p-18;
  const auto refused = prepare_export(integers);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("half precision, which ends at 65504, and is not scaled: 0.249878 is allowed by `range_share`"),
            std::string::npos)
      << refused.error().message;
}

TEST_F(RangeScaling, RangesOfAnotherModelAreRefused) {
  ExportOptions other = options("other", true);
  other.model_dir = golden_folder(kGolden) / "checkpoint";
  const auto refused = prepare_export(other);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("another model"), std::string::npos) << refused.error().message;
}

TEST_F(RangeScaling, CalibrationRefusesAFolderWithoutPicturesAndAPictureThatIsNone) {
  std::filesystem::create_directories(folder_ / "empty");
  const auto empty = pictures_in(folder_ / "empty");
  ASSERT_FALSE(empty.ok());
  EXPECT_NE(empty.error().message.find("no pictures"), std::string::npos);
  folder_.write("pictures/broken.png", "no picture");
  Progress silent;
  const auto broken = calibrate_checkpoint({.model_dir = model_,
                                            .image_size = kSize,
                                            .chip = "sm8750",
                                            .pictures = folder_ / "pictures",
                                            .runtimes = {.onnxruntime_library = runtimes_for_tests().onnxruntime_library}},
                                           silent);
  ASSERT_FALSE(broken.ok());
  EXPECT_NE(broken.error().message.find("broken.png"), std::string::npos) << broken.error().message;
}

TEST_F(RangeScaling, TheEmulatedNpuAgreesWithTheFloatGraphs) {
  export_or_fail(options("plain", false));
  export_or_fail(options("scaled", true));
  const auto npu = on_npu(folder_ / "scaled");
  ASSERT_TRUE(npu.ok()) << npu.error().message;
  const Outputs plain = outputs_of(folder_ / "plain", cpu_for_tests()), scaled = outputs_of(folder_ / "scaled", *npu);
  EXPECT_GE(compare(scaled.features.floats(), plain.features.floats()).snr_db, 45);
  EXPECT_GE(compare(scaled.logits, plain.logits).snr_db, 36);
}

// An NPU computes a GELU of codes in half precision.
TEST_F(RangeScaling, ATowerInIntegersNeedsNoScaling) {
  model_ = large_checkpoint(folder_ / "last", 4);
  ranges_ = measure(model_);
  export_or_fail(options("plain", false));
  ExportOptions integers = options("integers", true);
  integers.npu->vision_recipe = find_recipe("w8a16").value();
  export_or_fail(integers);
  const auto npu = on_npu(folder_ / "integers");
  ASSERT_TRUE(npu.ok()) << npu.error().message;
  const auto features = outputs_of(folder_ / "plain", cpu_for_tests()).features;
  EXPECT_GE(compare(outputs_of(folder_ / "integers", cpu_for_tests()).features.floats(), features.floats()).snr_db, 45);
  EXPECT_GE(compare(outputs_of(folder_ / "integers", *npu).features.floats(), features.floats()).snr_db, 45);
}

}  // namespace
}  // namespace fastvlm
