// Tower and projector in the pieces that people know.
#pragma once

#include <string>
#include <string_view>

namespace fastvlm {

// The piece of tower or projector that a module belongs to: "model.vision_tower.stem", "….stages.2.downsample", "….stages.2.blocks.3",
// "….final_conv", "model.multi_modal_projector". Empty for all others, and for the tower itself.
std::string vision_module(std::string_view module);

// The stage of a piece: "….stages.2" of all in it; others are their own.
std::string vision_stage(std::string_view piece);

}  // namespace fastvlm
