#include "fastvlm/datasheet/page.h"

#include <gtest/gtest.h>

#include "fastvlm/bundle/manifest_for_tests.h"
#include "fastvlm/report/well_formed_for_tests.h"

namespace fastvlm {
namespace {

constexpr const char* kNasty = "<script>alert(\"x\")</script> & 'y'";

Datasheet sheet_for_tests() {
  Datasheet sheet;
  sheet.folder.manifest = manifest_for_tests();
  sheet.folder.manifest.findings = {kNasty};
  sheet.folder.manifest.gelus = {{.name = kNasty, .form = "joined", .why = kNasty},
                                 {.name = "b/gelu", .form = "fast", .why = "inputs reach 2"}};
  sheet.manifest_sha256 = "0123abcd";
  sheet.verified.emplace();
  sheet.verified->pass("files", kNasty, kNasty);
  sheet.verified->miss("graph", kNasty, kNasty);
  sheet.layers = {{.graph = "vision_256", .rows = {{"model.stem", 140}, {kNasty, 300}}},
                  {.graph = "vision_256", .on_npu = true, .rows = {{"model.stem", 60}, {kNasty, -3}}},
                  {.graph = "decoder fp16", .rows = {{"model.layers.0", 50}}}};
  sheet.layers_problem = kNasty;
  sheet.weights = {{.graphs = "decoder",
                    .recipe = "w4",
                    .bytes = 300,
                    .half_bytes = 1000,
                    .weights = {{.name = kNasty, .precision = "4 bits", .bytes = 100, .half_bytes = 400, .sqnr_db = 18.25},
                                {.name = "other", .precision = "4 bits", .bytes = 100, .half_bytes = 400, .sqnr_db = std::nullopt}}}};
  sheet.weights_problem = kNasty;
  sheet.contexts = {{.chip = "sm8750",
                     .entry = {.group = "vision", .binary = kNasty, .bytes = 12, .graphs = {{kNasty, "w.onnx"}}},
                     .facts = OrderedJson::parse(R"({"build_id": "v2", "graphs": [{"spill_fill_bytes": 7}, {"spill_fill_bytes": 5}],
                                                     "qnn_graphs": [{"name": "g", "onnx_nodes": 3, "operators": {"Add": 1, "Conv2d": 2}}]})")},
                    {.chip = "sm8650", .entry = {.group = "vision", .binary = "b.bin", .bytes = 12}, .problem = kNasty}};
  sheet.question = kNasty;
  sheet.pictures = {
      {.name = kNasty,
       .picture = "<img src=\"data:,\" alt=\"\"/>",
       .answers = {{.recipe = "fp16", .runner = "CPU", .text = kNasty}, {.recipe = "w8", .runner = "CPU", .problem = kNasty}}}};
  return sheet;
}

std::size_t count(const std::string& text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST(Datasheet, NothingOfAnExportBecomesMarkup) {
  const std::string page = datasheet_page(sheet_for_tests());
  EXPECT_EQ(report::fault_of(page), "");
  EXPECT_EQ(count(page, "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; &#39;y&#39;"), count(page, "alert"));
}

TEST(Datasheet, SaysWhichFormEachGeluHas) {
  const std::string page = datasheet_page(sheet_for_tests());
  EXPECT_EQ(count(page, "GELUs of tower and projector in floats: 1 fast, 1 joined"), 1U);
  EXPECT_EQ(count(page, "<td>inputs reach 2</td>"), 1U);
}

TEST(Datasheet, BothLinesOfAGraphAreInOnePlot) {
  const std::string page = datasheet_page(sheet_for_tests());
  EXPECT_EQ(count(page, "<svg "), 2U);
  EXPECT_EQ(count(page, "NPU against CPU</text>"), 1U);
  EXPECT_EQ(count(page, "CPU against the plain graphs</text>"), 2U);
}

TEST(Datasheet, TellsSizesBeforeAndAfterAndTheLeastExactWeight) {
  const std::string page = datasheet_page(sheet_for_tests());
  EXPECT_NE(page.find("<td>1.0 kB</td><td>300 B</td><td class=\"number\">0.300</td>"), std::string::npos) << page;
  EXPECT_EQ(count(page, "<td class=\"number\">18.2</td>"), 2U);
  EXPECT_EQ(count(page, "Weights of decoder w4, the least exact first"), 1U);
}

TEST(Datasheet, TellsOperatorsOfTheNpuAndWhatMissed) {
  const std::string page = datasheet_page(sheet_for_tests());
  EXPECT_NE(page.find("Conv2d 2, Add 1"), std::string::npos);
  EXPECT_NE(page.find("<td>7 B</td>"), std::string::npos) << page;
  EXPECT_NE(page.find("verify: 1 ok, 1 missed, 0 not compared"), std::string::npos);
  EXPECT_NE(page.find("QAIRT v2"), std::string::npos);
}

TEST(Datasheet, WithoutVerifySaysSoAndHasNoPlot) {
  Datasheet sheet = sheet_for_tests();
  sheet.verified.reset();
  sheet.layers.clear();
  const std::string page = datasheet_page(sheet);
  EXPECT_EQ(report::fault_of(page), "");
  EXPECT_EQ(count(page, "<svg "), 0U);
  EXPECT_NE(page.find("Not verified"), std::string::npos);
}

}  // namespace
}  // namespace fastvlm
