// Decoders whose activations are integers, too: what they ask for, and how their graphs are made.
#pragma once

#include "fastvlm/export/export.h"
#include "fastvlm/quant/integer_graph.h"

namespace fastvlm {

// Refuses recipes with integer activations without what they need: ranges, float32 edges, and no graph of the picture's vectors
// and the text at once.
Status check_integer_recipes(const ExportOptions& options);

// Whether the chips can run the recipes.
Status check_recipe_precisions(const NpuOptions& options);

// A graph of such a recipe, expanded and with all passes behind it, in integers.
Result<IntegerGraph> in_integers(const Graph& graph, const RangeOptions& ranges);

}  // namespace fastvlm
