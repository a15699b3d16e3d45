// The EXIF orientation of a picture, and turning it upright.
#pragma once

#include <cstddef>
#include <span>

#include "fastvlm/image/image.h"

namespace fastvlm {

// The orientation in an EXIF block (a TIFF header and its first directory). 1 when there is none or the block is
// damaged: a broken hint is no reason to refuse a good picture.
int exif_orientation(std::span<const std::byte> exif);

// Applies orientation 1 to 8, as Pillow's ImageOps.exif_transpose does. Other values change nothing.
Image turn_upright(Image image, int orientation);

}  // namespace fastvlm
