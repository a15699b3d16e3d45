#include "fastvlm/export/prepare_integers.h"

#include "fastvlm/base/try.h"
#include "fastvlm/targets/registry.h"

namespace fastvlm {

Status check_recipe_precisions(const NpuOptions& options) {
  TRY_ASSIGN(const auto chips, find_chips(options.known_targets, options.targets));
  // The tower is a float graph whatever the decoder is.
  TRY(check_precision(chips, Precision::kFloat16));
  for (const Recipe& recipe : options.recipes) {
    const Status possible = check_precision(chips, precision_of(recipe.activations));
    if (!possible.ok()) return Error(possible.error()).within("recipe " + recipe.name);
  }
  return {};
}

Status check_integer_recipes(const ExportOptions& options) {
  const NpuOptions& npu = *options.npu;
  for (const Recipe& recipe : npu.recipes) {
    if (recipe.activations == Activations::kFloat) continue;
    if (!options.ranges)
      return bad_option("recipe",
                        "{}: makes activations integers and needs their ranges; give `calibration` a folder of pictures such as the model "
                        "will see, or the file that calibrate makes of one (calibrate --model-dir M --images DIR --output ranges.fvc)",
                        recipe.name);
    if (!npu.fused.empty())
      return bad_option("recipe", "{}: fused graphs have no form with integer activations; leave out `fused`", recipe.name);
    if (npu.io_dtype != Dtype::kFloat32)
      return bad_option("recipe", "{}: graphs with integer activations have float32 inputs and outputs; leave out `io_dtype`", recipe.name);
  }
  return {};
}

Result<IntegerGraph> in_integers(const Graph& graph, const RangeOptions& ranges) {
  return to_integers(graph, ranges.ranges, {.largest_float = ranges.share * kLargestHalf});
}

}  // namespace fastvlm
