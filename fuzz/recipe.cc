// Any bytes as a recipe: an error or rules that can be used, which read back as the same.
#include "fastvlm/quant/recipe.h"
#include "fastvlm/base/assert.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fastvlm;
  const auto recipe = parse_recipe({reinterpret_cast<const char*>(data), size}, "recipe.json");
  if (!recipe.ok()) return 0;
  for (const EncodingRule& rule : recipe->rules) {
    matches(rule.match, "model.layers.0.self_attn.q_proj.weight");
    if (rule.weights && !rule.weights->by_channel) FASTVLM_ASSERT(rule.weights->blocks.row_bytes(896) > 0, "blocks");
  }
  const auto again = parse_recipe(recipe_text(*recipe), "recipe.json");
  FASTVLM_ASSERT(again.ok() && *again == *recipe, "the same again");
  return 0;
}
