#include "fastvlm/export/prepare_integers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "fastvlm/base/try.h"
#include "fastvlm/quant/built_in_set.h"
#include "fastvlm/quant/half_nodes.h"
#include "fastvlm/targets/registry.h"

namespace fastvlm {
namespace {

Status check_vision_recipe(const Recipe& recipe) {
  if (recipe.is_float() || recipe.activations != Activations::kFloat) return {};
  return bad_option("vision_recipe", "{}: tower and projector have fp16 and recipes with integer activations such as w8a16", recipe.name);
}

Status check_ranges(const ExportOptions& options, const char* option, const Recipe& recipe) {
  if (options.ranges || recipe.activations == Activations::kFloat) return {};
  return bad_option(option,
                    "{}: makes activations integers and needs their ranges; give `calibration` a folder of pictures such as the model "
                    "will see, or the file that calibrate makes of one (calibrate --model-dir M --images DIR --output ranges.fvc)",
                    recipe.name);
}

Status check_edges(const ExportOptions& options, const char* option, const Recipe& recipe) {
  if (options.npu->io_dtype == Dtype::kFloat32 || recipe.activations == Activations::kFloat) return {};
  return bad_option(option, "{}: graphs with integer activations have float32 or uint16 at their edges, no float16; leave out `io_dtype`",
                    recipe.name);
}

// The first matrix of basic operators that has blocks, or stays as it is.
std::optional<std::string> first_float_matrix(const Graph& graph) {
  for (const Node& node : graph.nodes()) {
    if (node.inputs.size() < 2 || node.inputs[1] < 0) continue;
    const ValueInfo& weight = graph.value(node.inputs[1]);
    if (node.op == "MatMulNBits") return weight.name.substr(0, weight.name.find(':'));
    if (weight_of_product(graph, node) != nullptr && !weight.encoding) return weight.name;
  }
  return std::nullopt;
}

// That of a static graph; nullptr: of half precision.
const Recipe* recipe_of(const NpuOptions& options, GraphRole role, const GraphExtents& extents) {
  if (role == GraphRole::kVision) return &options.vision_recipe;
  const auto recipe = std::ranges::find(options.recipes, extents.recipe, &Recipe::name);
  return recipe == options.recipes.end() ? nullptr : &*recipe;
}

bool take_sixteen_bits(std::span<const ChosenChip> chips) { return check_precision(chips, Precision::kSixteenBits).ok(); }

}  // namespace

std::vector<PrecisionNeed> precisions_needed(const NpuOptions& options) {
  // The tower's graphs run on every chip when they are integers.
  const bool float_tower = options.vision_recipe.activations == Activations::kFloat;
  std::vector<PrecisionNeed> needs = {{.what = "the tower with recipe " + options.vision_recipe.name,
                                       .precision = float_tower ? Precision::kFloat16 : Precision::kQuantised}};
  for (const Recipe& recipe : options.recipes) {
    // Second factors have the bits that the chips take.
    const bool floats = recipe.activations != Activations::kWhole;
    needs.push_back({"recipe " + recipe.name, floats ? Precision::kFloat16 : Precision::kQuantised});
  }
  return needs;
}

void add_float_matrix(const NpuOptions& options, const PreparedGraph& graph, std::vector<PrecisionNeed>& needs) {
  const std::optional<std::string> weight = first_float_matrix(*graph.graph);
  const bool tower = graph.entry.role == GraphRole::kVision;
  const Recipe* recipe = recipe_of(options, graph.entry.role, graph.entry.extents);
  if (!weight || recipe == nullptr) return;
  const std::string what = fmt::format("{} {}", tower ? "the tower with recipe" : "recipe", recipe->name);
  if (std::ranges::find(needs, what, &PrecisionNeed::what) != needs.end()) return;
  const EncodingRule* rule = rule_for(recipe->rules, *weight);
  const std::string said = rule == nullptr ? "no rule speaks of it" : fmt::format("rule \"{}\"", rule->match);
  needs.push_back({.what = what,
                   .precision = Precision::kFloat16,
                   .why = fmt::format(", which multiplies \"{}\" in half precision ({}; {{\"bits\": 8}} without a block is in integers)",
                                      *weight, said)});
}

Status check_recipe_precisions(const NpuOptions& options) { return check_precisions(options, precisions_needed(options)); }

Status check_precisions(const NpuOptions& options, std::span<const PrecisionNeed> needs) {
  TRY_ASSIGN(const auto chips, find_chips(options.known_targets, options.targets));
  for (const PrecisionNeed& need : needs) {
    const Status possible = check_precision(chips, need.precision);
    if (!possible.ok()) return Error(possible.error()).within(need.sentence());
  }
  return {};
}

bool wants_ranges(const NpuOptions& npu) {
  const auto in_integers = [](const Recipe& recipe) { return recipe.activations != Activations::kFloat; };
  return in_integers(npu.vision_recipe) || std::ranges::any_of(npu.recipes, in_integers);
}

Status check_integer_recipes(const ExportOptions& options) {
  const NpuOptions& npu = *options.npu;
  TRY(check_vision_recipe(npu.vision_recipe));
  TRY(check_ranges(options, "vision_recipe", npu.vision_recipe));
  TRY(check_edges(options, "vision_recipe", npu.vision_recipe));
  for (const Recipe& recipe : npu.recipes) {
    if (recipe.activations == Activations::kFloat) continue;
    TRY(check_ranges(options, "recipe", recipe));
    if (!npu.fused.empty())
      return bad_option("recipe", "{}: fused graphs have no form with integer activations; leave out `fused`", recipe.name);
    TRY(check_edges(options, "recipe", recipe));
  }
  return {};
}

Activations activations_for(const NpuOptions& options, std::span<const ChosenChip> chips, const NpuGraph& graph) {
  const bool tower = graph.role == GraphRole::kVision;
  const Recipe* recipe = recipe_of(options, graph.role, graph.extents);
  const Activations wanted = recipe == nullptr ? Activations::kFloat : recipe->activations;
  const bool short_cache = !tower && options.integer_edges.cache == Dtype::kUint8;
  if (wanted != Activations::kInt16 || (!short_cache && take_sixteen_bits(chips))) return wanted;
  return tower ? Activations::kWhole : Activations::kInt16Int8;
}

Status check_integer_edges(const NpuOptions& options, std::span<const ChosenChip> chips) {
  const IntegerEdges& edges = options.integer_edges;
  const auto in_integers = [](const Recipe& recipe) { return recipe.activations != Activations::kFloat; };
  const bool decoder = std::ranges::any_of(options.recipes, in_integers);
  if (edges.others && !decoder && !in_integers(options.vision_recipe))
    return bad_option("io_dtype", "uint16: is for recipes with integer activations such as w8a16; no graph has one");
  if (edges.cache && !decoder)
    return bad_option("kv_dtype", "{}: is for recipes with integer activations such as w8a16; no decoder has one", name(*edges.cache));
  if (edges.cache != Dtype::kUint16) return {};
  for (const Recipe& recipe : options.recipes) {
    const bool shortened = recipe.activations == Activations::kInt16 && !take_sixteen_bits(chips);
    if (recipe.activations != Activations::kFloat && (recipe.activations != Activations::kInt16 || shortened))
      return bad_option("kv_dtype", "uint16: the cache of recipe {} is multiplied with 8 bits{}; choose uint8", recipe.name,
                        shortened ? " for these chips" : "");
  }
  return {};
}

std::vector<std::string> shortened_factors(const NpuOptions& options, std::span<const ChosenChip> chips) {
  std::vector<std::string> few, many, sentences;
  for (const ChosenChip& chip : chips) (take_sixteen_bits({&chip, 1}) ? many : few).push_back(chip.chip->name);
  if (few.empty() || many.empty()) return sentences;
  const auto say = [&](const std::string& what, const Recipe& recipe) {
    if (recipe.activations == Activations::kInt16)
      sentences.push_back(
          fmt::format("{}: second factors of products have 8 bits, because {} takes no more; export for {} alone to have 16", what,
                      fmt::join(few, " and "), fmt::join(many, " and ")));
  };
  say("the tower with recipe " + options.vision_recipe.name, options.vision_recipe);
  for (const Recipe& recipe : options.recipes) say("recipe " + recipe.name, recipe);
  return sentences;
}

Status check_convolutions(const Recipe& recipe, const Graph& graph) {
  for (const Node& node : graph.nodes()) {
    if (node.op != "Conv") continue;
    const ValueInfo& weight = graph.value(node.inputs[1]);
    const EncodingRule* rule = rule_for(recipe.rules, weight.name);
    if (!weight.encoding && rule != nullptr && rule->weights)
      return bad_option("vision_recipe",
                        "{}: \"{}\" is a convolution, which has {{\"bits\": 8}} without a block, or \"float\"; rule \"{}\"", recipe.name,
                        weight.name, rule->match);
  }
  return {};
}

Result<IntegerGraph> in_integers(const Graph& graph, const RangeOptions& ranges, const IntegersWanted& wanted) {
  IntegerForm form = form_of(wanted.activations);
  form.edges = wanted.edges;
  form.largest_float = ranges.share * kLargestHalf;
  if (ranges.source == RangeOptions::Source::kAssumed) return to_integers(graph, assumed_ranges(graph), form);
  return to_integers(graph, ranges.ranges, form);
}

}  // namespace fastvlm
