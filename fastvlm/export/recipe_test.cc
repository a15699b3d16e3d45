// Decoders of several recipes in one folder: written, planned, told apart and held against the float graphs.
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "fastvlm/export/encodings_for_tests.h"
#include "fastvlm/export/export_and_compile.h"
#include "fastvlm/export/golden_export_for_tests.h"
#include "fastvlm/export/npu_plan.h"
#include "fastvlm/quant/recipe.h"
#include "fastvlm/verify/verify.h"

namespace fastvlm {
namespace {

class Recipes : public testing::Test {
 protected:
  static ExportOptions options(const Path& output) {
    ExportOptions options = golden_export("hf-unfused", output, 128);
    options.npu = NpuOptions{.targets = {"sm8750"}, .image_sizes = {128}, .prefill = {16}, .context = 64, .fused = {{4, 11}}};
    options.npu->recipes = recipes_without_ranges();
    return options;
  }
  FolderForTests folder_;
};

std::set<std::string> graph_names(const OutputFolder& folder) {
  std::set<std::string> names;
  for (const GraphEntry& graph : folder.manifest.graphs)
    if (graph.npu()) names.insert(graph.name);
  return names;
}

TEST_F(Recipes, StandSideBySideAndEachIsHeldAgainstTheFloatGraphs) {
  export_or_fail(options(folder_ / "out"));
  Progress silent;
  auto report = verify({.output_dir = folder_ / "out", .open_cpu = cpu_for_tests()}, silent);
  ASSERT_TRUE(report.ok()) << report.error().message;
  std::set<std::string> compared;
  for (const VerifyRow& row : report->rows) {
    EXPECT_EQ(row.outcome, Outcome::kPassed) << row.check << " " << row.subject << ": " << row.sentence;
    if (row.check == "forms") compared.insert(row.subject);
  }
  for (const char* decoder : {"decoder", "decoder_w8", "decoder_w4"})
    EXPECT_TRUE(compared.contains(fmt::format("npu/{} logits of single tokens", decoder))) << decoder;
  EXPECT_TRUE(compared.contains("npu/fused_v4_t11_w4.onnx logits"));
}

TEST_F(Recipes, CodesInAnotherOrderDoNotPassTheGates) {
  export_or_fail(options(folder_ / "out"));
  auto folder = open_output_folder(folder_ / "out");
  ASSERT_TRUE(folder.ok());
  int changed = 0;
  for (const WeightEntry& weight : folder->manifest.weights) {
    if (!weight.name.ends_with("layers.1.mlp.down_proj.weight:codes") || !weight.file.ends_with("decoder_w8.onnx.data")) continue;
    std::string text = text_of(folder_ / "out" / weight.file);
    const auto begin = text.begin() + static_cast<std::ptrdiff_t>(weight.offset);
    std::rotate(begin, begin + weight.shape[1] * weight.shape[2], begin + static_cast<std::ptrdiff_t>(weight.bytes));
    write_text(folder_ / "out" / weight.file, text);
    ++changed;
  }
  ASSERT_EQ(changed, 1) << "one matrix is a row off";
  Progress silent;
  auto report = verify({.output_dir = folder_ / "out", .open_cpu = cpu_for_tests(), .recipe = "w8"}, silent);
  ASSERT_TRUE(report.ok()) << report.error().message;
  const bool missed = std::ranges::any_of(report->rows, [](const VerifyRow& row) {
    return row.check == "forms" && row.subject == "npu/decoder_w8 logits of the prompt" && row.outcome == Outcome::kMissed;
  });
  EXPECT_TRUE(missed);
}

TEST_F(Recipes, OneIsChosenByNameAndTheRestLeftOut) {
  export_or_fail(options(folder_ / "out"));
  auto folder = open_output_folder(folder_ / "out");
  ASSERT_TRUE(folder.ok());
  EXPECT_EQ(folder->manifest.recipes(), (std::vector<std::string>{"fp16", "w8", "w4"}));
  EXPECT_EQ(graph_names(with_recipe(*folder, "w4").value()),
            (std::set<std::string>{"vision_128", "decoder_ar16_cl64_w4", "decoder_ar1_cl64_w4", "fused_v4_t11_w4"}));
  EXPECT_EQ(with_recipe(*folder, "").value().recipe(), "fp16");
  EXPECT_EQ(
      with_recipe(*folder, "w5").error().message,
      fmt::format("`recipe` w5: {} has decoder graphs of fp16, w8, w4 only; export again with `recipe` w5", (folder_ / "out").string()));
}

TEST_F(Recipes, ThePlanHasTheBytesThatAreWritten) {
  auto prepared = prepare_export(options(folder_ / "out"));
  ASSERT_TRUE(prepared.ok()) << prepared.error().message;
  const ExportReport report = export_or_fail(options(folder_ / "out"));
  std::uint64_t planned = 0;
  for (const PlannedFile& file : planned_files(**prepared)) {
    EXPECT_EQ(std::filesystem::file_size(folder_ / "out" / file.name), file.bytes) << file.name;
    planned += file.bytes;
  }
  EXPECT_EQ(planned, report.bytes);
  auto plan = npu_plan_json(**prepared);
  ASSERT_TRUE(plan.ok());
  std::map<std::string, std::uint64_t> weights;
  for (const auto& context : (*plan)[0]["contexts"]) weights[context["group"]] = context["weight_bytes"].get<std::uint64_t>();
  EXPECT_LT(weights.at("decoder_w8"), weights.at("decoder") * 56 / 100);
  EXPECT_LT(weights.at("decoder_w4"), weights.at("decoder") * 45 / 100);
}

TEST_F(Recipes, TheSameInputGivesTheSameBytesOnAnyNumberOfThreads) {
  std::vector<std::map<std::string, std::string>> hashes;
  for (unsigned threads : {1u, 3u}) {
    ExportOptions how = options(folder_ / fmt::format("on{}", threads));
    how.threads = threads;
    hashes.emplace_back();
    for (const auto& [name, file] : export_or_fail(how).files) hashes.back()[name] = file.sha256;
  }
  EXPECT_TRUE(hashes[0].contains("npu/decoder_w4.onnx.data"));
  EXPECT_EQ(hashes[0], hashes[1]);
}

TEST_F(Recipes, EncodingsOfTheWeightsAreThoseOfTheGraphsReadBack) {
  export_or_fail(options(folder_ / "out"));
  const GraphReadBack floats(folder_ / "out/npu/decoder_ar1_cl64.onnx");
  for (const std::string recipe : {"w8", "w4"}) {
    const auto rows = encodings_in(folder_ / fmt::format("out/npu/encodings_{}.json", recipe));
    for (const std::string& tensor : tensors_of(floats)) EXPECT_TRUE(rows.contains(tensor)) << recipe << " " << tensor;
    const GraphReadBack graph(folder_ / fmt::format("out/npu/decoder_ar1_cl64_{}.onnx", recipe));
    std::set<std::string> in_blocks;
    for (const OnnxNode& node : graph.model().nodes) {
      if (node.op != "MatMulNBits") continue;
      const std::string name = node.inputs[1].substr(0, node.inputs[1].find(":codes"));
      ASSERT_NE(floats.initializer(name), nullptr) << name;
      const Json& row = rows.at(name);
      EXPECT_EQ(row.at("enc_type"), "PER_BLOCK");
      EXPECT_EQ(row.at("bw"), node.integer("bits", 0));
      EXPECT_EQ(row.at("block_size"), node.integer("block_size", 0));
      EXPECT_EQ(floats_in(row), graph.floats(node.inputs[2])) << name;
      EXPECT_EQ(row.at("offset").size(), row.at("scale").size());
      in_blocks.insert(name);
    }
    EXPECT_GT(in_blocks.size(), 7u);
    for (const auto& [name, row] : rows) {
      if (name.starts_with("model.multi_modal_projector")) continue;
      EXPECT_EQ(row.at("dtype"), in_blocks.contains(name) ? "INT" : "FLOAT") << name;
    }
  }
}

TEST_F(Recipes, NoneOrAVersionWithoutBlocksIsHeeded) {
  ExportOptions none = options(folder_ / "out");
  none.encodings.reset();
  for (const auto& [name, file] : export_or_fail(none).files) EXPECT_FALSE(name.ends_with(".json") && name.starts_with("npu/")) << name;
  ExportOptions old = options(folder_ / "old");
  old.encodings = EncodingsVersion::k061;
  const auto refused = prepare_export(old);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("`encodings` 0.6.1: has no form for blocks"), std::string::npos) << refused.error().message;
}

TEST_F(Recipes, ARuleThatDecidesNothingIsNamed) {
  const WeightEncoding four{.blocks = {.bits = 4, .block = 32}}, eight = eight_bits(Activations::kFloat);
  struct Case {
    std::vector<EncodingRule> rules;
    const char* rule;  // nullptr: none is named
    const char* why;
  };
  const Case cases[] = {{{{"*.dwn_proj.weight", eight}, {"*", four}}, "*.dwn_proj.weight", "matches no weight of this model"},
                        {{{"*", four}, {"*.v_proj.weight", eight}}, "*.v_proj.weight", "is never reached; rules before it decide"},
                        {{{"foo.*", eight}}, "foo.*", "matches no weight of this model"},
                        {{{"*norm.weight", {}}, {"model.multi_modal_projector.*", eight}, {"*.1.mlp.*", eight}, {"*", four}}, nullptr, ""}};
  for (const Case& test : cases) {
    ExportOptions mine = options(folder_ / "out");
    mine.npu->recipes = {{.name = "mine", .rules = test.rules}};
    const auto prepared = prepare_graphs(mine);
    ASSERT_TRUE(prepared.ok()) << prepared.error().message;
    const std::string findings = fmt::format("{}", fmt::join((*prepared)->findings, "\n"));
    if (test.rule == nullptr)
      EXPECT_EQ(findings.find("the rule"), std::string::npos) << findings;
    else
      EXPECT_NE(findings.find(fmt::format("recipe mine: the rule \"{}\" {}", test.rule, test.why)), std::string::npos) << findings;
  }
}

TEST_F(Recipes, TheHeadOrTheTableOfATiedModelMayBeMissing) {
  for (const char* model : {"hf-unfused", "apple-tied"}) {
    ExportOptions all = golden_export(model, folder_ / "out", 128);
    all.npu = options(folder_ / "out").npu;
    const auto prepared = prepare_graphs(all);
    ASSERT_TRUE(prepared.ok()) << prepared.error().message;
    for (const std::string& finding : (*prepared)->findings) EXPECT_EQ(finding.find("the rule"), std::string::npos) << finding;
  }
}

TEST_F(Recipes, AreRefusedWhereTheyCannotRunOrAreNamedTwice) {
  Progress silent;
  FullExportOptions old{.graphs = options(folder_ / "out")};
  old.graphs.npu->targets = {"sm8350"};
  auto refused = export_and_compile(old, silent);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("choose `recipe` w8a16-int and `vision_recipe` w8a16"), std::string::npos)
      << refused.error().message;
  ExportOptions twice = options(folder_ / "out");
  twice.npu->recipes = {known_recipes()[1], known_recipes()[1]};
  auto named = run_export(twice, silent);
  ASSERT_FALSE(named.ok());
  EXPECT_EQ(named.error().message, "`recipe` w8: is named twice");
}

}  // namespace
}  // namespace fastvlm
