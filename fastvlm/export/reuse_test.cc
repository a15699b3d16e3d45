// --reuse: a fine-tune beside the export of the model before it.
#include <map>
#include <stop_token>

#include "fastvlm/base/hash.h"
#include "fastvlm/base/interrupt.h"
#include "fastvlm/compile/compile_output.h"
#include "fastvlm/export/edited_checkpoint_for_tests.h"

namespace fastvlm {
namespace {

namespace fs = std::filesystem;

constexpr const char* kGolden = "apple-tied";
constexpr const char* kDecoderData = "fastvlm_decoder_with_projection.onnx.data";
constexpr const char* kVisionData = "fastvlm_vision_encoder.onnx.data";

// Names, contents and times of all files.
std::map<std::string, std::string> state_of(const Path& folder, bool with_times) {
  std::map<std::string, std::string> state;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    std::string& text = state[entry.path().lexically_relative(folder).string()] = sha256_of(text_of(entry.path()));
    if (with_times) text += fmt::format(" {}", entry.last_write_time().time_since_epoch().count());
  }
  return state;
}

bool linked(const Path& a, const Path& b) { return fs::equivalent(a, b); }

class Reuse : public testing::Test {
 protected:
  void SetUp() override {
    export_or_fail(options(golden_folder(kGolden) / "checkpoint", "old"));
    before_ = state_of(old(), /*with_times=*/true);
  }
  // Whatever was tried, the earlier export is as it was.
  void TearDown() override { EXPECT_EQ(state_of(old(), true), before_); }

  Path old() const { return folder_ / "old"; }

  ExportOptions options(const Path& model, const std::string& name) const {
    ExportOptions options{.model_dir = model, .output_dir = folder_ / name, .image_size = 128, .threads = 2};
    options.npu = NpuOptions{.targets = {"sm8750"}, .prefill = {8}, .context = 32, .recipes = {find_recipe("fp16").value()}};
    return options;
  }
  ExportOptions reusing(const Path& model, const std::string& name) const {
    ExportOptions with = options(model, name);
    with.reuse = old();
    return with;
  }

  // The same model, but for the tensors whose name ends like this; one matrix of the decoder unless named.
  Path fine_tune(std::string_view changed = "layers.1.self_attn.o_proj.weight") const {
    EditedCheckpoint checkpoint(folder_ / "tuned", kGolden);
    int edited = 0;
    for (NamedTensor& named : checkpoint.tensors)
      if (named.name.ends_with(changed)) {
        named.tensor = to_float32(named.tensor.view());
        for (float& number : named.tensor.floats()) number += 0.25F;
        ++edited;
      }
    EXPECT_GT(edited, 0) << changed;
    checkpoint.save();
    return checkpoint.path();
  }

  // What contexts of an export are found by in caches, besides the graphs: by group.
  std::map<std::string, std::string> weights_of_groups(const std::string& name) const {
    std::map<std::string, std::string> weights;
    const auto groups = compile_groups(read_manifest(folder_ / name).value(), folder_ / name);
    EXPECT_TRUE(groups.ok());
    for (const CompileGroup& group : *groups) weights[group.name] = group.weights_sha256;
    return weights;
  }

  void expect_refused(const ExportOptions& options, const std::string& part) const {
    Progress silent;
    const auto refused = run_export(options, silent);
    ASSERT_FALSE(refused.ok());
    EXPECT_NE(refused.error().message.find(part), std::string::npos) << refused.error().message;
    EXPECT_FALSE(fs::exists(folder_ / "new"));
  }

  FolderForTests folder_;
  std::map<std::string, std::string> before_;
};

TEST_F(Reuse, ContextsOfWhatAFineTuneDidNotTouchAreFoundInTheCache) {
  const auto before = weights_of_groups("old");
  ASSERT_EQ(before.size(), 2u);
  export_or_fail(options(fine_tune(), "decoder"));
  export_or_fail(options(fine_tune("network.10.0.convffn.fc1.weight"), "tower"));
  const auto decoder = weights_of_groups("decoder"), tower = weights_of_groups("tower");
  EXPECT_EQ(decoder.at("vision"), before.at("vision"));
  EXPECT_NE(decoder.at("decoder"), before.at("decoder"));
  EXPECT_NE(tower.at("vision"), before.at("vision"));
  EXPECT_EQ(tower.at("decoder"), before.at("decoder"));
}

TEST_F(Reuse, AFineTuneHasTheBytesOfAPlainExportAndLinksWhatItDidNotTouch) {
  const Path tuned = fine_tune();
  export_or_fail(options(tuned, "plain"));
  const ExportReport report = export_or_fail(reusing(tuned, "new"));
  EXPECT_EQ(state_of(folder_ / "new", false), state_of(folder_ / "plain", false));
  for (const char* name : {kVisionData, kFloatTableFile, kInt8TableFile, "npu/vision.onnx.data"})
    EXPECT_TRUE(linked(folder_ / "new" / name, old() / name)) << name;
  for (const char* name : {kDecoderData, "npu/decoder.onnx.data"}) EXPECT_FALSE(linked(folder_ / "new" / name, old() / name)) << name;
  EXPECT_GT(report.reused, 0u);
  EXPECT_LT(report.reused, report.bytes);
}

TEST_F(Reuse, TheSameModelIsAllLinked) {
  const ExportReport report = export_or_fail(reusing(golden_folder(kGolden) / "checkpoint", "new"));
  EXPECT_EQ(state_of(folder_ / "new", false), state_of(old(), false));
  std::uint64_t weights = 0;
  for (const auto& [name, file] : report.files) {
    if (file.made != "weights") continue;
    weights += file.bytes;
    EXPECT_TRUE(linked(folder_ / "new" / name, old() / name)) << name;
  }
  EXPECT_EQ(report.reused, weights);
}

// Its manifest says what its files were, not what they are.
TEST_F(Reuse, AnEarlierExportThatIsDamagedDoesNotSpoilTheNewOne) {
  const std::string bytes = text_of(old() / kVisionData);
  std::string damaged = bytes;
  damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 1);
  write_text(old() / kVisionData, damaged);
  fs::remove(old() / kInt8TableFile);
  before_ = state_of(old(), true);
  export_or_fail(reusing(golden_folder(kGolden) / "checkpoint", "new"));
  EXPECT_EQ(sha256_of(text_of(folder_ / "new" / kVisionData)), sha256_of(bytes));
  EXPECT_EQ(read_manifest(folder_ / "new")->files.at(kVisionData).sha256, sha256_of(bytes));
  EXPECT_TRUE(fs::exists(folder_ / "new" / kInt8TableFile));
}

TEST_F(Reuse, WhatWasNotMadeThenIsMadeNow) {
  ExportOptions more = reusing(golden_folder(kGolden) / "checkpoint", "new");
  more.npu->recipes.push_back(find_recipe("w8").value());
  export_or_fail(more);
  EXPECT_TRUE(linked(folder_ / "new/npu/decoder.onnx.data", old() / "npu/decoder.onnx.data"));
  EXPECT_TRUE(fs::exists(folder_ / "new/npu/decoder_w8.onnx.data"));
}

TEST_F(Reuse, AnInterruptedExportLeavesNothing) {
  const Path tuned = fine_tune();
  std::stop_source stop;
  const StopScope scope(stop.get_token());
  // In the middle of the weights.
  Progress progress([&](const ProgressEvent& event) {
    if (event.done > 0) stop.request_stop();
  });
  const auto stopped = run_export(reusing(tuned, "new"), progress);
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().kind, ErrorKind::kInterrupted);
  EXPECT_EQ(folder_.names(), (std::set<std::string>{"old", "tuned"}));
}

TEST_F(Reuse, WhatIsNoEarlierExportOfThisIsRefused) {
  const Path model = golden_folder(kGolden) / "checkpoint";
  ExportOptions with = reusing(model, "new");
  with.dtype = Dtype::kFloat16;
  expect_refused(with, "its weights are float32, those of this export float16");
  with = reusing(golden_folder("hf-untied-sharded") / "checkpoint", "new");
  expect_refused(with, "it is of another model");
  with = reusing(model, "new");
  with.reuse = folder_ / "missing";
  expect_refused(with, "there is no such folder");
  with.reuse = model;
  expect_refused(with, "no manifest.json here");
  with = reusing(model, "old/new");
  expect_refused(with, "must be another folder than the one that is written");
  with = reusing(model, "old");
  with.force = true;
  expect_refused(with, "must be another folder than the one that is written");
}

TEST_F(Reuse, OneOfAnotherVersionIsRefused) {
  fs::copy(old(), folder_ / "copy", fs::copy_options::recursive);
  Manifest manifest = read_manifest(folder_ / "copy").value();
  manifest.versions.fastvlm_npu = "0.0.1";
  ASSERT_TRUE(write_manifest(folder_ / "copy", manifest).ok());
  ExportOptions with = reusing(golden_folder(kGolden) / "checkpoint", "new");
  with.reuse = folder_ / "copy";
  expect_refused(with, "was written by version 0.0.1");
}

}  // namespace
}  // namespace fastvlm
