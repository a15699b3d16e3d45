// More recipes for an export that stands: the same bytes as an export of all of them, or a refusal.
#include "fastvlm/export/add_recipes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "fastvlm/export/golden_export_for_tests.h"
#include "fastvlm/export/golden_ranges_for_tests.h"

namespace fastvlm {
namespace {

constexpr const char* kGolden = "apple-tied";

Recipe recipe(const std::string& name) { return find_recipe(name).value(); }

// Every file of a folder, by its name below it.
std::map<std::string, std::string> files_in(const Path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) files[std::filesystem::relative(entry.path(), folder).string()] = text_of(entry.path());
  return files;
}

class AddRecipes : public testing::Test {
 protected:
  ExportOptions exported(const std::string& name, std::vector<Recipe> recipes) const {
    ExportOptions options = golden_export(kGolden, folder_ / name, 128);
    options.npu = golden_npu();
    options.npu->recipes = std::move(recipes);
    return options;
  }
  AddRecipesOptions added(const std::string& name, std::vector<Recipe> recipes) const {
    return {.output_dir = folder_ / name, .model_dir = golden_folder(kGolden) / "checkpoint", .recipes = std::move(recipes), .threads = 2};
  }
  static Result<ExportReport> run(const AddRecipesOptions& options) {
    Progress silent;
    return add_recipes(options, silent);
  }
  void expect_same(const std::string& one, const std::string& other) const {
    const auto expected = files_in(folder_ / one), actual = files_in(folder_ / other);
    for (const auto& [name, bytes] : expected) {
      ASSERT_TRUE(actual.contains(name)) << name;
      EXPECT_TRUE(actual.at(name) == bytes) << name;
    }
    EXPECT_EQ(actual.size(), expected.size());
  }
  FolderForTests folder_;
};

TEST_F(AddRecipes, GivesTheBytesOfAnExportWithAllOfThem) {
  struct Case {
    const char* what;
    std::vector<Recipe> before, after;
    void (*change)(ExportOptions& options);
  };
  const Recipe mine{
      .name = "mine", .about = "one layer", .rules = {{"model.layers.0.*", WeightEncoding{.blocks = {.bits = 4, .block = 16}}}}};
  const Case cases[] = {
      {"w8 to fp16", {Recipe()}, {recipe("w8")}, [](ExportOptions&) {}},
      {"two to none of the floats", {recipe("w8")}, {recipe("w4"), mine}, [](ExportOptions& o) { o.npu->fused.clear(); }},
      {"fp16 to a file's", {mine}, {Recipe()}, [](ExportOptions& o) { o.encodings = EncodingsVersion::k200; }},
      {"parts without logits",
       {Recipe()},
       {recipe("w8")},
       [](ExportOptions& o) {
         o.npu->part_limit_bytes = 1;
         o.npu->prefill_logits = false;
         o.encodings.reset();
       }},
      {"half precision",
       {Recipe()},
       {recipe("w8")},
       [](ExportOptions& o) {
         o.npu->io_dtype = Dtype::kFloat16;
         o.dtype = Dtype::kFloat16;
       }},
  };
  int number = 0;
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    const std::string whole = fmt::format("whole-{}", number), grown = fmt::format("grown-{}", number);
    ++number;
    std::vector<Recipe> all = c.before;
    all.insert(all.end(), c.after.begin(), c.after.end());
    ExportOptions together = exported(whole, all), alone = exported(grown, c.before);
    c.change(together), c.change(alone);
    export_or_fail(together);
    export_or_fail(alone);
    const auto report = run(added(grown, c.after));
    ASSERT_TRUE(report.ok()) << report.error().message;
    EXPECT_FALSE(report->files.empty());
    expect_same(whole, grown);
  }
}

TEST_F(AddRecipes, CanBeDoneOneByOne) {
  export_or_fail(exported("whole", {Recipe(), recipe("w8"), recipe("w4")}));
  export_or_fail(exported("grown", {Recipe()}));
  for (const char* name : {"w8", "w4"}) {
    const auto report = run(added("grown", {recipe(name)}));
    ASSERT_TRUE(report.ok()) << report.error().message;
  }
  expect_same("whole", "grown");
}

TEST_F(AddRecipes, TakesTheRangesOfTheExport) {
  ExportOptions alone = exported("grown", {Recipe()});
  alone.npu->fused.clear();
  RangeOptions ranges{.ranges = golden_ranges(kGolden, 128, folder_), .share = 1};
  alone.ranges = ranges;
  export_or_fail(alone);
  ExportOptions together = alone;
  together.output_dir = folder_ / "whole";
  together.npu->recipes = {Recipe(), recipe("w8a16")};
  export_or_fail(together);

  const auto without = run(added("grown", {recipe("w8a16")}));
  ASSERT_FALSE(without.ok());
  EXPECT_EQ(without.error().option, "calibration");
  AddRecipesOptions with = added("grown", {recipe("w8a16")});
  with.ranges = ranges;
  with.ranges->share = 0.5;
  const auto others = run(with);
  ASSERT_FALSE(others.ok());
  EXPECT_NE(others.error().message.find("are others"), std::string::npos) << others.error().message;
  with.ranges->share = 1;
  const auto report = run(with);
  ASSERT_TRUE(report.ok()) << report.error().message;
  expect_same("whole", "grown");
}

TEST_F(AddRecipes, RefusesWithASentenceAndLeavesTheFolderAsItWas) {
  export_or_fail(exported("out", {Recipe(), recipe("w8")}));
  const auto before = files_in(folder_ / "out");
  auto expect_refusal = [&](const AddRecipesOptions& options, const std::string& words) {
    const auto report = run(options);
    ASSERT_FALSE(report.ok()) << words;
    EXPECT_NE(report.error().message.find(words), std::string::npos) << report.error().message;
    EXPECT_TRUE(files_in(folder_ / "out") == before) << words;
  };
  expect_refusal(added("out", {recipe("w8")}), "w8: stands in");
  expect_refusal(added("out", {recipe("w8a16")}), "needs their ranges");
  AddRecipesOptions other = added("out", {recipe("w4")});
  other.model_dir = golden_folder("hf-untied-sharded") / "checkpoint";
  expect_refusal(other, "is another checkpoint");
  other.model_dir = folder_ / "nowhere";
  expect_refusal(other, "there is no such folder");
  expect_refusal(added("nowhere", {recipe("w4")}), "there is no such folder");
}

TEST_F(AddRecipes, RefusesFoldersThatItCannotAddTo) {
  struct Case {
    const char* words;
    void (*damage)(const Path& folder);
  };
  const Case cases[] = {
      {"because an earlier version wrote it",
       [](const Path& folder) {
         OrderedJson manifest = OrderedJson::parse(text_of(folder / kManifestFile));
         manifest.erase("made_from");
         write_text(folder / kManifestFile, manifest.dump(1) + "\n");
       }},
      {"is missing; export again", [](const Path& folder) { std::filesystem::remove(folder / "npu/decoder.onnx.data"); }},
      {"has another npu/decoder_ar1_cl64.onnx; export again with --recipe fp16,w4",
       [](const Path& folder) {
         Manifest manifest = read_manifest(folder).value();
         manifest.files.at("npu/decoder_ar1_cl64.onnx").sha256[0] ^= 1;
         ASSERT_TRUE(write_manifest(folder, manifest).ok());
       }},
  };
  for (const Case& c : cases) {
    ExportOptions options = exported("out", {Recipe()});
    options.force = true;
    options.npu->fused.clear();
    export_or_fail(options);
    c.damage(folder_ / "out");
    const auto report = run(added("out", {recipe("w4")}));
    ASSERT_FALSE(report.ok()) << c.words;
    EXPECT_NE(report.error().message.find(c.words), std::string::npos) << report.error().message;
  }
  ExportOptions plain = golden_export(kGolden, folder_ / "plain", 128);
  export_or_fail(plain);
  EXPECT_NE(run(added("plain", {recipe("w4")})).error().message.find("has no static graphs"), std::string::npos);
}

}  // namespace
}  // namespace fastvlm
