// quantize on an export that stands: the graphs and weights of more recipes beside those that are there, with the bytes that an export
// of all of them would have.
#pragma once

#include <optional>
#include <vector>

#include "fastvlm/export/export.h"

namespace fastvlm {

struct AddRecipesOptions {
  Path output_dir;                     // of export, with static graphs
  Path model_dir;                      // the checkpoint that it was made of
  Path base_model;                     // see ExportOptions
  std::vector<Recipe> recipes;         // new ones
  std::optional<RangeOptions> ranges;  // those of the export, or its first ones
  unsigned threads = 0;                // 0: as many as pay
  Targets known_targets = fastvlm::known_targets();
};

// What export would be given for this folder with these recipes, too. An Error: a folder without static graphs, or from before manifests
// said what exports are made of; a recipe that stands there already.
Result<ExportOptions> options_with_recipes(const Manifest& manifest, const AddRecipesOptions& options);

// Files that are there are neither written nor read, but their sizes and hashes must be those of the new export: another checkpoint,
// other ranges and a folder of another version of the program are refused. The manifest is written last; what was written before an
// Error is removed. Contexts of chips stay as they are.
Result<ExportReport> add_recipes(const AddRecipesOptions& options, Progress& progress);

}  // namespace fastvlm
