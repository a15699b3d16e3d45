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

// A tied head bears the name of the table.
std::string head_weight(const TextConfig& text) { return text.tie_word_embeddings ? "model.embed_tokens.weight" : "lm_head.weight"; }

std::vector<std::string> all_weights(const Trial& trial, const TextConfig& text) {
  if (trial.head) return weights_of(trial, text, text.num_hidden_layers);
  std::vector<std::string> names;
  for (std::int64_t layer = 0; layer < text.num_hidden_layers; ++layer)
    for (std::string& name : weights_of(trial, text, layer)) names.push_back(std::move(name));
  return names;
}

bool is_wider(const Trial& trial, const std::optional<WeightEncoding>& own) {
  return trial.encoding && own && own->blocks.bits < trial.encoding->blocks.bits;
}

}  // namespace

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

std::vector<std::string> weights_of(const Trial& trial, const TextConfig& text, std::int64_t layer) {
  if (trial.activations_only) return {};
  if (trial.head != (layer == text.num_hidden_layers)) return {};
  if (trial.head) return {head_weight(text)};
  std::vector<std::string> names;
  for (const char* module : kModules)
    if (trial.modules.empty() || std::ranges::find(trial.modules, module) != trial.modules.end())
      names.push_back(fmt::format("model.layers.{}.{}.weight", layer, module));
  return names;
}

std::vector<Trial> trials_of(const Recipe& recipe, const TextConfig& text, Granularity granularity) {
  std::vector<Trial> pieces;
  if (granularity == Granularity::kLayers) {
    pieces.push_back({.name = "layer"});
  } else {
    for (std::size_t i = 0; i < kModules.size(); ++i) pieces.push_back({.name = fmt::format("m{}", i), .modules = {kModules[i]}});
  }
  pieces.push_back({.name = "head", .head = true});
  std::vector<Trial> trials;
  if (recipe.activations != Activations::kFloat) trials.push_back({.name = "activations", .activations_only = true});
  for (const Trial& piece : pieces) {
    const std::vector<std::string> weights = all_weights(piece, text);
    if (std::ranges::none_of(weights, [&](const std::string& name) { return encoding_of(recipe, name).has_value(); })) continue;
    trials.push_back(piece);
    Trial wide = piece;
    wide.name += "-wide", wide.encoding = eight_bits(recipe.activations);
    if (std::ranges::any_of(weights, [&](const std::string& name) { return is_wider(wide, encoding_of(recipe, name)); }))
      trials.push_back(wide);
  }
  return trials;
}

Recipe recipe_of(const Trial& trial, const Recipe& recipe, const TextConfig& text) {
  Recipe made{.name = trial.name, .activations = recipe.activations};
  for (const std::string& name : all_weights(trial, text))
    if (const auto encoding = tried(trial, recipe, name)) made.rules.push_back({.match = name, .weights = encoding});
  made.rules.push_back({.match = "*", .weights = std::nullopt});
  return made;
}

}  // namespace fastvlm
