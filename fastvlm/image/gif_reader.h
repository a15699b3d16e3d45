// GIF, read here: the first picture of the file.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "fastvlm/base/result.h"
#include "fastvlm/image/decode.h"
#include "fastvlm/image/stored_image.h"

namespace fastvlm {

// The first frame on the logical screen, as Pillow shows it: what the frame does not cover has its transparent colour, or else
// colour 0; transparent pixels show the colour of their number. Limits and errors as for decode_image.
Result<StoredImage> read_gif(std::span<const std::byte> bytes, std::string_view what, const ImageDecodeOptions& options);

}  // namespace fastvlm
