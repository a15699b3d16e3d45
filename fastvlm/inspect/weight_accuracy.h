// How exactly the weights of an export are stored where they are integers: what the graphs make of their codes and scales, against the
// numbers of the plain graphs beside them. Read from the files as a runtime reads them, a piece at a time.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fastvlm/bundle/manifest.h"

namespace fastvlm {

struct WeightAccuracy {
  std::string name;               // "model.layers.0.mlp.up_proj.weight"
  std::string precision;          // "4 bits, blocks of 32", "8 bits by channel", "8 bits by channel in two parts"
  std::uint64_t bytes = 0;        // codes and scales, as the NPU keeps them
  std::uint64_t half_bytes = 0;   // in half precision
  std::optional<double> sqnr_db;  // decibels(sum x^2, sum (x - stored)^2); nothing: the plain graphs have no such weight
};

// The decoder graphs of one recipe, or the static vision graphs.
struct RecipeAccuracy {
  std::string graphs;  // "decoder", "vision"
  std::string recipe;
  std::uint64_t bytes = 0;              // of all weights
  std::uint64_t half_bytes = 0;         // the same in half precision
  std::vector<WeightAccuracy> weights;  // the least exact first
};

// One for each recipe that has integers, in the order of the manifest. An Error names the file.
Result<std::vector<RecipeAccuracy>> weight_accuracy(const Path& folder, const Manifest& manifest);
// The sizes alone, which takes milliseconds: no SQNR, weights by name.
Result<std::vector<RecipeAccuracy>> recipe_sizes(const Path& folder, const Manifest& manifest);

OrderedJson to_json(const RecipeAccuracy& accuracy);

}  // namespace fastvlm
