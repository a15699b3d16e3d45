// A folder whose edges are codes, as a bundle: its self-test is in float32, and passes on the emulated NPU.
#include "fastvlm/compile/compile_output.h"
#include "fastvlm/compile/graph_opener.h"
#include "fastvlm/device/check_results.h"
#include "fastvlm/device/make_bundle.h"
#include "fastvlm/device/run_selftest.h"
#include "fastvlm/export/trained_in_integers_for_tests.h"

namespace fastvlm::device {
namespace {

const RuntimeSearch kRuntimes = {.cache_folder = default_cache_folder(std::getenv("XDG_CACHE_HOME"), std::getenv("HOME"))};

TEST_F(TrainedInIntegers, TheSelfTestOfAnEmulatedBundleOfCodesPasses) {
  ExportOptions exported = options();
  exported.npu->recipes = {find_recipe("w8a16").value()};
  exported.npu->vision_recipe = find_recipe("w8a16").value();
  exported.npu->integer_edges = {.cache = Dtype::kUint16, .others = true};
  ASSERT_NO_FATAL_FAILURE(export_or_fail(exported));
  Progress silent;
  const auto compiled =
      compile_output({.output_dir = folder_ / "out", .targets = {"sm8750"}, .runtimes = kRuntimes, .program = FASTVLM_PROGRAM}, silent);
  ASSERT_TRUE(compiled.ok()) << compiled.error().message;
  // Knows of the codes, as those of the program do.
  const auto open_cpu = graph_opener({.output_dir = folder_ / "out", .runtimes = kRuntimes, .program = FASTVLM_PROGRAM});
  ASSERT_TRUE(open_cpu.ok()) << open_cpu.error().message;
  const auto made = make_bundle({.output_dir = folder_ / "out",
                                 .bundle_dir = folder_ / "phone",
                                 .target = "sm8750",
                                 .recipe = "w8a16",
                                 .unshared = true,
                                 .probe = true,
                                 .pictures = {kTrained / "eval/000.png"},
                                 .question = "What color is the cross?",
                                 .answer_rows = 3,
                                 .open_cpu = *open_cpu,
                                 .runtimes = kRuntimes,
                                 .program = FASTVLM_PROGRAM},
                                silent);
  ASSERT_TRUE(made.ok()) << made.error().message;
  const auto open = graph_opener({.output_dir = folder_ / "phone", .chip = "sm8750", .runtimes = kRuntimes, .program = FASTVLM_PROGRAM});
  ASSERT_TRUE(open.ok()) << open.error().message;
  const auto run = run_selftest({.bundle = folder_ / "phone",
                                 .results = folder_ / "results",
                                 .open = *open,
                                 .check = {.reading = {.program = FASTVLM_PROGRAM, .runtimes = kRuntimes}}},
                                silent);
  ASSERT_TRUE(run.ok()) << run.error().message;
  const auto report = check_results({.bundle = folder_ / "phone", .results = folder_ / "results", .gates = {}});
  ASSERT_TRUE(report.ok()) << report.error().message;
  for (const VerifyRow& row : report->rows) EXPECT_EQ(row.outcome, Outcome::kPassed) << row.subject << ": " << row.sentence;
  // Vision, chunk and single token with keys and values of four layers, an answer, and two graphs with probes.
  EXPECT_EQ(report->rows.size(), 1u + 8 + 9 + 4 + 2);
}

}  // namespace
}  // namespace fastvlm::device
