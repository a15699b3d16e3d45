#include "fastvlm/sensitivity/cut_model.h"

#include "fastvlm/base/assert.h"
#include "fastvlm/base/try.h"
#include "fastvlm/targets/compile_load.h"

namespace fastvlm {

std::int64_t CutModel::tower_parts() const {
  const std::vector<TowerPart>* floats = tower_->find("");
  return floats == nullptr ? 0 : static_cast<std::int64_t>(floats->size());
}

std::optional<Path> CutModel::find(const std::string& recipe, std::int64_t part) const {
  if (!in_tower(part)) return decoder_.find(recipe, part - tower_parts());
  const std::vector<TowerPart>* parts = tower_->find(recipe);
  if (parts == nullptr) return std::nullopt;
  return parts->at(static_cast<std::size_t>(part)).file;
}

Result<std::vector<float>> CutModel::run(std::int64_t part, Runner& runner, std::span<const float> numbers) const {
  if (in_tower(part)) return run_tower_part(runner, numbers);
  return part + 1 == parts() ? decoder_.run_head(runner, numbers) : decoder_.run_layer(runner, numbers);
}

Result<std::uint64_t> weight_bytes_of(const CutModel& model, const ModelRecipes& recipes) {
  std::uint64_t sum = 0;
  for (std::int64_t part = 0; part < model.parts(); ++part) {
    const auto graph = model.find(recipes, part);
    FASTVLM_ASSERT(graph, "a recipe that is cut like the model");
    TRY_ASSIGN(const std::uint64_t bytes, stored_weight_total(*graph));
    sum += bytes;
  }
  return sum;
}

}  // namespace fastvlm
