// What a recipe stores as integers, in the pieces that are tried one by one, and what each may be instead.
#pragma once

#include <string>
#include <vector>

#include "fastvlm/checkpoint/model_config.h"
#include "fastvlm/graph/encoding.h"

namespace fastvlm {

// How fine a decoder is cut.
enum class Granularity { kModules, kLayers };

// The same weights in every layer (or those of the head), stored one way: what one recipe can try in any layer.
struct Trial {
  std::string name;                        // of its recipe, among those of the folder
  bool head = false;                       // of the head instead of the layers
  std::vector<std::string> modules;        // "self_attn.q_proj"; empty: all of the layer
  std::optional<WeightEncoding> encoding;  // of weights that the recipe gives fewer bits; nothing: all as the recipe has them
  bool activations_only = false;           // no weight is in integers
};

// The trials of a recipe: as it says, and in 8 bits where it has fewer. With activations in integers one more has those alone.
std::vector<Trial> trials_of(const Recipe& recipe, const TextConfig& text, Granularity granularity);

// How a trial stores a weight; nothing: as a float.
std::optional<WeightEncoding> tried(const Trial& trial, const Recipe& recipe, const std::string& weight);

// Stores just the weights of the trial.
Recipe recipe_of(const Trial& trial, const Recipe& recipe, const TextConfig& text);

// Names of the weights of a trial in a layer; the layer behind the last one is the head.
std::vector<std::string> weights_of(const Trial& trial, const TextConfig& text, std::int64_t layer);

// What the first rule that fits a weight says.
std::optional<WeightEncoding> encoding_of(const Recipe& recipe, const std::string& weight);

// "4 bits, blocks of 32", "8 bits by channel", "float".
std::string words(const std::optional<WeightEncoding>& encoding);

}  // namespace fastvlm
