// Exports of the golden checkpoints, for tests.
#pragma once

#include "fastvlm/checkpoint/golden_for_tests.h"
#include "fastvlm/export/export.h"
#include "fastvlm/quant/recipe.h"
#include "fastvlm/session/runners_for_tests.h"

namespace fastvlm {

inline ExportOptions golden_export(const std::string& name, const Path& output, std::int64_t image_size) {
  return {.model_dir = golden_folder(name) / "checkpoint", .output_dir = output, .image_size = image_size, .threads = 2};
}

// Both picture sizes, prompts in chunks of 16 and 8 in a context of 64, and a fused graph for each size.
inline NpuOptions golden_npu() {
  return {.targets = {"sm8750"}, .image_sizes = {128, 256}, .prefill = {16, 8}, .context = 64, .fused = {{4, 11}, {16, 11}}};
}

// The built-in recipes whose activations stay floats.
inline std::vector<Recipe> recipes_without_ranges() {
  std::vector<Recipe> recipes;
  for (const Recipe& recipe : known_recipes())
    if (recipe.activations == Activations::kFloat) recipes.push_back(recipe);
  return recipes;
}

// Exports or fails the test; the report is empty then.
inline ExportReport export_or_fail(const ExportOptions& options) {
  Progress silent;
  auto report = run_export(options, silent);
  EXPECT_TRUE(report.ok()) << report.error().message;
  return report.ok() ? *report : ExportReport();
}

}  // namespace fastvlm
