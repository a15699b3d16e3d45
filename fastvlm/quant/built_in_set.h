// What is looked at when the user has no pictures to calibrate with: a few that are made up, with the default questions.
#pragma once

#include "fastvlm/quant/ranges.h"

namespace fastvlm {

inline constexpr int kBuiltInPictures = 8;

// Writes the pictures, squares of `side` pixels, into a folder that is there: the same bytes on every machine.
Result<std::vector<Path>> write_built_in_pictures(const Path& folder, int side);

// The one of them that is noise: whatever the pictures of a user, it drives the maps of the first stages as far as pictures can.
Status write_noise_picture(const Path& file, int side);

// What to know before one trusts them; `drawn` false: where they are only planned.
std::string built_in_warning(bool drawn);

// Stands for ranges that are not measured yet: every value of the graph within about [-1, 1]. Sizes of weights are
// true, those of graphs within a thousandth.
Ranges assumed_ranges(const Graph& graph);

}  // namespace fastvlm
