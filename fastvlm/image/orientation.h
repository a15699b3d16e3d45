// The orientation of a picture by its EXIF or XMP data, and turning it upright.
#pragma once

#include <cstddef>
#include <span>

#include "fastvlm/image/image.h"

namespace fastvlm {

// The orientation, 1 to 8. EXIF (a TIFF header and its first directory) goes before XMP, as in Pillow; without either, and where
// the data are damaged, it is 1: a broken hint is no reason to refuse a good picture.
int orientation_of(std::span<const std::byte> exif, std::span<const std::byte> xmp);

// Applies orientation 1 to 8, as Pillow's ImageOps.exif_transpose does. Other values change nothing.
Image turn_upright(Image image, int orientation);

}  // namespace fastvlm
