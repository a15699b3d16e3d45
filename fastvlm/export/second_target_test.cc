// A second NPU, made up and tiny: one row, no change anywhere else. It goes the whole way from a checkpoint to verify.
#include "fastvlm/compile/graph_opener.h"
#include "fastvlm/export/export_and_compile.h"
#include "fastvlm/export/golden_export_for_tests.h"
#include "fastvlm/export/npu_plan.h"
#include "fastvlm/ops/basic.h"
#include "fastvlm/verify/verify.h"

namespace fastvlm {
namespace {

std::span<const Chip> tiny_chips() {
  static const std::vector<Chip> chips = {
      {.name = "tiny1", .marketing = "Tiny One", .architecture = "Tiny v1", .memory = "1 MiB", .context_limit_bytes = 100'000'000},
      {.name = "tiny0", .marketing = "Tiny Zero", .architecture = "Tiny v0", .memory = "1 MiB", .context_limit_bytes = 100'000'000}};
  return chips;
}

// x * sigmoid(x) as x * (tanh(x / 2) + 1) / 2: this NPU has no Sigmoid behind a linear layer.
std::vector<Value> tanh_silu(const ops::ExpansionContext& context) {
  Value x = context.input(0);
  Value half = ops::scalar(x.graph(), x.dtype(), 0.5);
  Value tanh = x.graph().add_node("", "Tanh", {ops::mul(x, half)}, {{x.dtype(), x.dims()}})[0];
  return {ops::mul(ops::mul(x, half), ops::add(tanh, ops::scalar(x.graph(), x.dtype(), 1)))};
}

const ops::ExpansionTable& tiny_expansions() {
  static const ops::ExpansionTable table = [] {
    ops::ExpansionTable rows = known_targets()[0]->expansions();
    rows["silu"] = tanh_silu;
    return rows;
  }();
  return table;
}

std::span<const std::string_view> tiny_operators() {
  static const std::vector<std::string_view> operators = [] {
    const auto others = known_targets()[0]->operators;
    std::vector<std::string_view> list(others.begin(), others.end());
    list.push_back("Tanh");
    return list;
  }();
  return operators;
}

// Its contexts say what they are made of.
Result<std::vector<CompiledGroup>> tiny_compile(const CompileRequest& request, Progress&) {
  std::vector<CompiledGroup> compiled;
  for (const CompileGroup& group : request.groups) {
    CompiledGroup one{.name = group.name, .binary = group.name + ".tiny"};
    std::string text = request.chip->name + ":";
    for (const std::string& graph : group.graphs) {
      text += " " + graph;
      one.graphs.push_back({.name = graph});
    }
    TRY(write_file_atomically(request.output_folder / one.binary, text));
    one.bytes = text.size();
    compiled.push_back(std::move(one));
  }
  return compiled;
}

Result<std::unique_ptr<Runner>> tiny_open(const NpuRunnerRequest& request) {
  const Path context = request.graph.parent_path() / request.chip->name;
  if (!std::filesystem::exists(context)) return bad_input("{}: not compiled", context.string());
  return cpu_for_tests()(request.graph);
}

const Target& tiny_target() {
  static const Target target = {
      .name = "tiny",
      .title = "Tiny NPU",
      .runner = "tiny",
      .chips = tiny_chips,
      .expansions = tiny_expansions,
      .operators = tiny_operators(),
      .refuses = [](const Chip& chip, Precision precision) -> std::optional<std::string> {
        if (chip.name == "tiny1" && precision == Precision::kFloat16) return std::nullopt;
        return chip.name + " computes nothing of the kind; take tiny1";
      },
      .find_runtimes = [](const RuntimeSearch&) -> Result<RuntimePaths> { return RuntimePaths(); },
      .check_compiler = [](const RuntimeSearch&, const Path&) { return Status(); },
      .compile = tiny_compile,
      .compile_memory = [](const CompileLoad&) -> std::uint64_t { return 1 << 20; },
      .context_bytes = [](const CompileLoad& load) { return load.weight_bytes; },
      .open_runner = tiny_open,
  };
  return target;
}

class SecondTarget : public testing::Test {
 protected:
  Targets both() const { return rows_; }
  FullExportOptions options(const std::string& chip) const {
    FullExportOptions options{.graphs = golden_export("apple-tied", output(), 128)};
    options.graphs.npu =
        NpuOptions{.targets = {chip}, .known_targets = both(), .image_sizes = {128}, .prefill = {16}, .context = 64, .fused = {{4, 11}}};
    return options;
  }
  Path output() const { return folder_.path() / "out"; }

  FolderForTests folder_;
  const std::vector<const Target*> rows_ = {known_targets()[0], &tiny_target()};
};

TEST_F(SecondTarget, GoesTheWholeWayFromACheckpointToVerifyThroughItsRow) {
  Progress silent;
  auto report = export_and_compile(options("tiny1"), silent);
  ASSERT_TRUE(report.ok()) << report.error().message;
  ASSERT_EQ(report->contexts.size(), 1u);
  EXPECT_EQ(report->contexts[0].target, "tiny1");
  EXPECT_EQ(text_of(output() / "npu/tiny1/decoder.tiny"), "tiny1: decoder_ar16_cl64 decoder_ar1_cl64");

  VerifyOptions how{.output_dir = output(), .open_cpu = cpu_for_tests(), .chip = "tiny1", .known_targets = both()};
  auto opener = graph_opener({.output_dir = output(), .chip = "tiny1", .known_targets = both()});
  ASSERT_TRUE(opener.ok()) << opener.error().message;
  how.open_npu = *opener;
  auto verified = verify(how, silent);
  ASSERT_TRUE(verified.ok()) << verified.error().message;
  for (const VerifyRow& row : verified->rows)
    EXPECT_EQ(row.outcome, Outcome::kPassed) << row.check << " " << row.subject << ": " << row.sentence;
  EXPECT_TRUE(verified->compared("npu"));
}

TEST_F(SecondTarget, ShardsCompileEachContextOnceAndLeaveTheFolderAsItIs) {
  Progress silent;
  ASSERT_TRUE(export_and_compile(options("tiny1"), silent).ok());
  const std::string manifest = text_of(output() / "manifest.json");
  CompileOptions compile{.output_dir = output(), .targets = {"tiny1"}, .cache_folder = folder_.path() / "cache", .known_targets = both()};
  std::vector<std::string> whole;
  const auto compiled = compile_output(compile, silent);
  ASSERT_TRUE(compiled.ok()) << compiled.error().message;
  for (const CompiledGroup& group : (*compiled)[0].groups) whole.push_back(group.name);
  ASSERT_EQ(whole.size(), 3U);
  std::filesystem::remove_all(output() / "npu/tiny1");
  for (std::size_t count : {1, 2, 3, 7}) {
    std::vector<std::string> done;
    for (std::size_t index = 1; index <= count; ++index) {
      const auto part = compile_shard(compile, {.index = index, .count = count}, silent);
      ASSERT_TRUE(part.ok()) << part.error().message;
      for (const CompiledTarget& target : *part)
        for (const CompiledGroup& group : target.groups) done.push_back(group.name);
    }
    EXPECT_EQ(done, whole) << count;
  }
  EXPECT_FALSE(std::filesystem::exists(output() / "npu/tiny1"));
  EXPECT_EQ(text_of(output() / "manifest.json"), manifest);
  compile.cache_folder.clear();
  EXPECT_FALSE(compile_shard(compile, {.index = 1, .count = 2}, silent).ok()) << "nothing would stay";
}

TEST_F(SecondTarget, ItsGraphsAreHeldAgainstItsOwnOperatorsAlsoWhenNoChipIsNamed) {
  Progress silent;
  ASSERT_TRUE(export_and_compile(options("tiny1"), silent).ok());
  auto own = verify({.output_dir = output(), .open_cpu = cpu_for_tests(), .known_targets = both()}, silent);
  ASSERT_TRUE(own.ok());
  EXPECT_TRUE(own->passed()) << "what is compiled for tiny1 is known to be of its target";
  auto other = verify({.output_dir = output(), .open_cpu = cpu_for_tests(), .chip = "sm8750", .known_targets = both()}, silent);
  ASSERT_TRUE(other.ok());
  const bool named = std::ranges::any_of(
      other->rows, [](const VerifyRow& row) { return row.outcome == Outcome::kMissed && row.sentence.find("Tanh") != std::string::npos; });
  EXPECT_TRUE(named) << "the other target's list has no Tanh";
}

TEST_F(SecondTarget, AChipThatItRefusesIsToldByPlanAndRefusedByExport) {
  Progress silent;
  auto report = export_and_compile(options("tiny0"), silent);
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().kind, ErrorKind::kUsage);
  EXPECT_EQ(report.error().message, "the tower with recipe fp16: target tiny0 computes nothing of the kind; take tiny1");
  EXPECT_FALSE(std::filesystem::exists(output()));
  auto prepared = prepare_export(options("tiny0").graphs);
  ASSERT_TRUE(prepared.ok()) << prepared.error().message;
  auto plan = npu_plan_json(**prepared);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ((*plan)[0]["findings"][0],
            "export will refuse the tower with recipe fp16 on this chip: tiny0 computes nothing of the kind; take tiny1");
  EXPECT_EQ((*plan)[0]["contexts"][0]["estimated_compile_memory_bytes"], 1 << 20);
}

TEST_F(SecondTarget, AFolderWithoutStaticGraphsDoesNotPassForAnNpu) {
  export_or_fail(golden_export("apple-tied", output(), 128));
  Progress silent;
  auto report = verify(
      {.output_dir = output(), .open_cpu = cpu_for_tests(), .open_npu = cpu_for_tests(), .chip = "tiny1", .known_targets = both()}, silent);
  ASSERT_TRUE(report.ok());
  EXPECT_FALSE(report->passed());
  EXPECT_EQ(report->rows.back().sentence,
            "nothing ran on the NPU, because the folder holds no static graphs; export it again with `targets`");
}

}  // namespace
}  // namespace fastvlm
