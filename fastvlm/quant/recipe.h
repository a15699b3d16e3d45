// Recipes: which numbers of the text decoder are stored as integers, and how. A recipe is a readable file that users copy and change:
//
//   {"name": "mine",
//    "about": "the head in 8 bits, the rest in 4",
//    "rules": [{"match": "lm_head.weight", "weights": {"bits": 8, "block": 128}},
//              {"match": "*.norm.weight", "weights": "float"},
//              {"match": "*", "weights": {"bits": 4, "block": 32}}]}
//
// With "activations": "int16" or "integers" activations are integers, too (default: "float"), and weights have no block: {"bits": 8}, one
// scale for each output channel.
// The first rule whose pattern matches the name of a weight decides; '*' stands for any characters.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "fastvlm/base/files.h"
#include "fastvlm/base/result.h"
#include "fastvlm/graph/encoding.h"

namespace fastvlm {

// 8 bits as the built-in recipes have them: beside activations in floats a scale for 128 weights of a row (at 64 the scales of a large
// decoder cost 3 % of its bytes and gain nothing that could be measured), beside integers one for each output channel.
constexpr WeightEncoding eight_bits(Activations activations) {
  if (activations == Activations::kFloat) return {.blocks = {.bits = 8, .block = 128}};
  return {.blocks = {.bits = 8, .block = 0}, .by_channel = true};
}

// Those that need no file: fp16, w8, w4, w8a16, w4a16, w8a16-int.
std::span<const Recipe> known_recipes();

// A built-in recipe, or what the file of that path holds (a name with a '/' or a '.').
// `option` names it in messages.
Result<Recipe> find_recipe(const std::string& name_or_file, const std::string& option = "recipe");

// Reads strictly; `what` names the file in messages. The name of a built-in recipe may only stand for the same rules.
Result<Recipe> parse_recipe(std::string_view text, const std::string& what);

// The file of a recipe; parse_recipe() gives the recipe back.
std::string recipe_text(const Recipe& recipe);

}  // namespace fastvlm
