// Graphs whose activations are integers, too: what they ask for, and how they are made.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "fastvlm/export/export.h"
#include "fastvlm/quant/integer_graph.h"

namespace fastvlm {

// Refuses recipes with integer activations without what they need: ranges, float32 edges, and no graph of the picture's vectors
// and the text at once.
Status check_integer_recipes(const ExportOptions& options);

// Whether a recipe makes activations integers.
bool wants_ranges(const NpuOptions& npu);

// Refuses inputs and outputs that no graph could have as codes, and a cache of other bits than the products with it.
Status check_integer_edges(const NpuOptions& options, std::span<const ChosenChip> chips);

// Of the tower first, then of each recipe, as far as its activations tell.
std::vector<PrecisionNeed> precisions_needed(const NpuOptions& options);
// Whether the chips can run the recipes.
Status check_recipe_precisions(const NpuOptions& options);

// Of a static graph that is to be integers throughout, before it is: where the recipe leaves a matrix as it is or in blocks, whose product
// is one of half precision, the first such is added.
void add_float_matrix(const NpuOptions& options, const PreparedGraph& graph, std::vector<PrecisionNeed>& needs);
// Whether the chips can run these.
Status check_precisions(const NpuOptions& options, std::span<const PrecisionNeed> needs);

// What the activations of a static graph are to be, by its recipe: second factors have 16 bits where every chip takes them, 8 elsewhere
// and where the cache is to have 8. The tower has no streams that need half precision.
Activations activations_for(const NpuOptions& options, std::span<const ChosenChip> chips, const NpuGraph& graph);

// A sentence for each recipe whose second factors have 8 bits on account of some of the chips although others take 16.
std::vector<std::string> shortened_factors(const NpuOptions& options, std::span<const ChosenChip> chips);

// Refuses blocks for convolutions, which have none. `graph` is expanded.
Status check_convolutions(const Recipe& recipe, const Graph& graph);

struct IntegersWanted {
  Activations activations = Activations::kInt16;
  IntegerEdges edges;
};
// A graph with such activations, expanded and with all passes behind it, in integers.
Result<IntegerGraph> in_integers(const Graph& graph, const RangeOptions& ranges, const IntegersWanted& wanted);

}  // namespace fastvlm
