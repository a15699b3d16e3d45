#include "fastvlm/quant/vision_module.h"

#include <algorithm>
#include <array>

namespace fastvlm {
namespace {

// What a path begins with, and how many steps behind it name a piece.
struct Beginning {
  std::string_view path;
  int steps;
};
constexpr std::array kBeginnings = {Beginning{"model.vision_tower.stages.", 2}, Beginning{"model.vision_tower.", 1},
                                    Beginning{"model.multi_modal_projector", 0}};
constexpr std::string_view kStages = kBeginnings[0].path;

// Up to that many steps behind `begin`.
std::string first_steps(std::string_view path, std::size_t begin, int steps) {
  std::size_t end = begin;
  for (int i = 0; i < steps && end < path.size(); ++i) end = std::min(path.find('.', end + (i > 0 ? 1 : 0)), path.size());
  return std::string(path.substr(0, end));
}

}  // namespace

std::string vision_module(std::string_view module) {
  for (const auto& [path, steps] : kBeginnings) {
    if (!module.starts_with(path)) continue;
    // The blocks of a stage are a list.
    const std::string piece = first_steps(module, path.size(), steps);
    return piece.ends_with(".blocks") ? first_steps(module, path.size(), steps + 1) : piece;
  }
  return {};
}

std::string vision_stage(std::string_view piece) {
  return piece.starts_with(kStages) ? first_steps(piece, kStages.size(), 1) : std::string(piece);
}

}  // namespace fastvlm
