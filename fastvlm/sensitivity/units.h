// What a recipe stores as integers, in the pieces that are tried one by one, and what each may be instead.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "fastvlm/checkpoint/model_config.h"
#include "fastvlm/graph/encoding.h"

namespace fastvlm {

// How fine a model is cut: single matrices of the decoder and blocks of the tower, or layers of the decoder and stages of the tower.
enum class Granularity { kModules, kLayers };

enum class PartKind { kTower, kLayer, kHead };

// What runs by itself: a piece of tower or projector, a layer of the decoder, its head.
struct ModelPart {
  PartKind kind = PartKind::kLayer;
  std::string name;                  // "model.vision_tower.stages.2.blocks.3", "model.layers.3", "head"
  std::vector<std::string> weights;  // that a recipe can store as integers
};

// The layers, then the head.
std::vector<ModelPart> decoder_parts_of(const TextConfig& text);

// The same weights in every part of a kind, stored one way: what one recipe can try in any of them.
struct Trial {
  std::string name;  // of its recipe, among those of the folder
  PartKind kind = PartKind::kLayer;
  std::vector<std::string> modules;        // "self_attn.q_proj"; empty: all of the part
  std::optional<WeightEncoding> encoding;  // of weights that the recipe gives fewer bits; nothing: all as the recipe has them
  bool activations_only = false;           // no weight is in integers; in every part of the decoder

  bool belongs_to(const ModelPart& part) const { return activations_only ? part.kind != PartKind::kTower : part.kind == kind; }
};

// The trials of a recipe for these parts: as it says, and in 8 bits where it has fewer. With activations in integers a decoder has one
// more with those alone.
std::vector<Trial> trials_of(const Recipe& recipe, std::span<const ModelPart> parts, Granularity granularity);

// How a trial stores a weight; nothing: as a float.
std::optional<WeightEncoding> tried(const Trial& trial, const Recipe& recipe, const std::string& weight);

// Stores just the weights of the trial.
Recipe recipe_of(const Trial& trial, const Recipe& recipe, std::span<const ModelPart> parts);

// Names of the weights of a trial in a part.
std::vector<std::string> weights_of(const Trial& trial, const ModelPart& part);

// What the first rule that fits a weight says.
std::optional<WeightEncoding> encoding_of(const Recipe& recipe, const std::string& weight);

// "4 bits, blocks of 32", "8 bits by channel", "float".
std::string words(const std::optional<WeightEncoding>& encoding);
// Of a trial in a part.
std::string words(const Trial& trial, const Recipe& recipe, const ModelPart& part);

}  // namespace fastvlm
