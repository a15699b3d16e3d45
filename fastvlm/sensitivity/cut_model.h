// A model that is cut: tower and projector, where these are taken apart, and the decoder behind them. What comes before a part runs once
// for all that is tried in its place.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "fastvlm/sensitivity/cut_decoder.h"
#include "fastvlm/sensitivity/cut_tower.h"

namespace fastvlm {

// Of both halves; empty: in floats.
struct ModelRecipes {
  std::string tower, decoder;
};

class CutModel {
 public:
  // The tower, which may be empty, must outlive this.
  CutModel(const CutTower& tower, CutDecoder decoder) : tower_(&tower), decoder_(std::move(decoder)) {}

  const CutDecoder& decoder() const { return decoder_; }
  std::int64_t tower_parts() const;
  std::int64_t parts() const { return tower_parts() + decoder_.layers() + 1; }
  bool in_tower(std::int64_t part) const { return part < tower_parts(); }

  // The graph of a recipe for that part, or nothing where there is none.
  std::optional<Path> find(const std::string& recipe, std::int64_t part) const;
  std::optional<Path> find(const ModelRecipes& recipes, std::int64_t part) const {
    return find(in_tower(part) ? recipes.tower : recipes.decoder, part);
  }
  Result<std::unique_ptr<Runner>> open(const Path& graph) const { return decoder_.open()(graph); }
  // What a part makes of what it is given: pixels, a map, hidden states; of the head: the logits of these rows.
  Result<std::vector<float>> run(std::int64_t part, Runner& runner, std::span<const float> numbers) const;

 private:
  const CutTower* tower_;
  CutDecoder decoder_;
};

// Bytes of the weights of all parts, as the NPU keeps them.
Result<std::uint64_t> weight_bytes_of(const CutModel& model, const ModelRecipes& recipes);

}  // namespace fastvlm
