// Tower and projector, cut into the pieces that people know: each part runs by itself. The graphs are those that export makes of a recipe.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "fastvlm/export/export.h"
#include "fastvlm/sensitivity/units.h"
#include "fastvlm/session/output_folder.h"

namespace fastvlm {

struct TowerPart {
  std::string name;  // "model.vision_tower.stages.2.blocks.3"
  Path file;
  std::vector<std::string> weights;  // of convolutions and matrices, where they are floats
  double largest = 0;                // of the numbers inside, where ranges are known
};

// The tower as it stands in a folder, under the names of recipes; empty: in floats.
class CutTower {
 public:
  // Pieces, or stages as a whole.
  CutTower(Path folder, Granularity granularity) : folder_(std::move(folder)), granularity_(granularity) {}

  // Writes the tower of `options` (its `vision_recipe`, whatever that is called) as that of `recipe`.
  Status add(const std::string& recipe, ExportOptions options, Progress& progress);
  void remove(const std::string& recipe);

  bool empty() const { return parts_.empty(); }
  // nullptr: there is none.
  const std::vector<TowerPart>* find(const std::string& recipe) const;

 private:
  Path folder_;
  Granularity granularity_;
  std::map<std::string, std::vector<TowerPart>> parts_;
};

// The numbers behind a part: all that its one output has.
Result<std::vector<float>> run_tower_part(Runner& part, std::span<const float> numbers);

}  // namespace fastvlm
