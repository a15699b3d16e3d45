#include "fastvlm/sensitivity/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "fastvlm/quant/recipe.h"

namespace fastvlm {
namespace {

// The matrices of a layer.
constexpr std::array kModules = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
                                 "mlp.gate_proj",    "mlp.up_proj",      "mlp.down_proj"};

std::vector<std::string> all_weights(const Trial& trial, std::span<const ModelPart> parts) {
  std::vector<std::string> names;
  for (const ModelPart& part : parts)
    for (std::string& name : weights_of(trial, part)) names.push_back(std::move(name));
  return names;
}

bool is_wider(const Trial& trial, const std::optional<WeightEncoding>& own) {
  return trial.encoding && own && own->blocks.bits < trial.encoding->blocks.bits;
}

// What is tried of each kind, before it is known how.
std::vector<Trial> pieces_of(std::span<const ModelPart> parts, Granularity granularity) {
  const auto has = [&](PartKind kind) { return std::ranges::find(parts, kind, &ModelPart::kind) != parts.end(); };
  std::vector<Trial> pieces;
  if (has(PartKind::kTower)) pieces.push_back({.name = "tower", .kind = PartKind::kTower});
  if (has(PartKind::kLayer) && granularity == Granularity::kLayers) pieces.push_back({.name = "layer"});
  if (has(PartKind::kLayer) && granularity == Granularity::kModules)
    for (std::size_t i = 0; i < kModules.size(); ++i) pieces.push_back({.name = fmt::format("m{}", i), .modules = {kModules[i]}});
  if (has(PartKind::kHead)) pieces.push_back({.name = "head", .kind = PartKind::kHead});
  return pieces;
}

}  // namespace

std::vector<ModelPart> decoder_parts_of(const TextConfig& text) {
  std::vector<ModelPart> parts;
  for (std::int64_t layer = 0; layer < text.num_hidden_layers; ++layer) {
    ModelPart& part = parts.emplace_back(ModelPart{.kind = PartKind::kLayer, .name = fmt::format("model.layers.{}", layer)});
    for (const char* module : kModules) part.weights.push_back(fmt::format("{}.{}.weight", part.name, module));
  }
  // A tied head bears the name of the table.
  const char* head = text.tie_word_embeddings ? "model.embed_tokens.weight" : "lm_head.weight";
  parts.push_back({.kind = PartKind::kHead, .name = "head", .weights = {head}});
  return parts;
}

std::optional<WeightEncoding> encoding_of(const Recipe& recipe, const std::string& weight) {
  const EncodingRule* rule = rule_for(recipe.rules, weight);
  return rule == nullptr ? std::nullopt : rule->weights;
}

std::optional<WeightEncoding> tried(const Trial& trial, const Recipe& recipe, const std::string& weight) {
  const auto own = encoding_of(recipe, weight);
  return is_wider(trial, own) ? trial.encoding : own;
}

std::string words(const std::optional<WeightEncoding>& encoding) {
  if (!encoding) return "float";
  if (encoding->by_channel) return fmt::format("{} bits by channel", encoding->blocks.bits);
  return fmt::format("{} bits, blocks of {}", encoding->blocks.bits, encoding->blocks.block);
}

std::string words(const Trial& trial, const Recipe& recipe, const ModelPart& part) {
  if (trial.activations_only) return recipe.activations == Activations::kWhole ? "integers" : "16 bits";
  std::string text;
  for (const std::string& weight : weights_of(trial, part)) {
    const std::string one = words(tried(trial, recipe, weight));
    if (text.empty()) text = one;
    if (text != one) return trial.encoding ? "8 bits or as the recipe" : "as the recipe";
  }
  return text;
}

std::vector<std::string> weights_of(const Trial& trial, const ModelPart& part) {
  if (trial.activations_only || !trial.belongs_to(part)) return {};
  std::vector<std::string> names;
  for (const std::string& weight : part.weights) {
    const auto is_of = [&](const std::string& module) { return weight == fmt::format("{}.{}.weight", part.name, module); };
    if (trial.modules.empty() || std::ranges::any_of(trial.modules, is_of)) names.push_back(weight);
  }
  return names;
}

std::vector<Trial> trials_of(const Recipe& recipe, std::span<const ModelPart> parts, Granularity granularity) {
  const std::vector<Trial> pieces = pieces_of(parts, granularity);
  const bool decoder = std::ranges::any_of(pieces, [](const Trial& piece) { return piece.kind != PartKind::kTower; });
  std::vector<Trial> trials;
  if (decoder && recipe.activations != Activations::kFloat) trials.push_back({.name = "activations", .activations_only = true});
  for (const Trial& piece : pieces) {
    const std::vector<std::string> weights = all_weights(piece, parts);
    if (std::ranges::none_of(weights, [&](const std::string& name) { return encoding_of(recipe, name).has_value(); })) continue;
    trials.push_back(piece);
    Trial wide = piece;
    wide.name += "-wide", wide.encoding = eight_bits(recipe.activations);
    if (std::ranges::any_of(weights, [&](const std::string& name) { return is_wider(wide, encoding_of(recipe, name)); }))
      trials.push_back(wide);
  }
  return trials;
}

Recipe recipe_of(const Trial& trial, const Recipe& recipe, std::span<const ModelPart> parts) {
  Recipe made{.name = trial.name, .activations = recipe.activations};
  for (const std::string& name : all_weights(trial, parts))
    if (const auto encoding = tried(trial, recipe, name)) made.rules.push_back({.match = name, .weights = encoding});
  made.rules.push_back({.match = "*", .weights = std::nullopt});
  return made;
}

}  // namespace fastvlm
