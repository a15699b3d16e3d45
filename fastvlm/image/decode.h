// Pictures to RGB, byte for byte as Pillow's Image.open(...).convert("RGB"). JPEG, PNG, GIF and BMP are always read; WebP, TIFF,
// HEIC and AVIF through libraries that are loaded if they are installed. HEIC and AVIF go through libheif, which Pillow does not
// use: single values differ there, and whole edges of colour where it is stored for every second pixel only.
//
// One deliberate difference: Pillow decodes on over damaged JPEG data and shows grey blocks; here that is an error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "fastvlm/base/files.h"
#include "fastvlm/base/result.h"
#include "fastvlm/image/image.h"

namespace fastvlm {

struct ImageDecodeOptions {
  // Leaves the picture as it is stored, as Apple's script does, instead of turning it upright by its EXIF or XMP orientation.
  bool ignore_exif = false;
  // Above this a file counts as a decompression bomb.
  std::uint64_t max_pixels = 200'000'000;
};

// Neither side of a picture may be longer (a JPEG cannot be).
constexpr int kMaxImageSide = 65'535;

// Decodes a whole file in memory; its first bytes tell the format, not its name. `what` names it in messages. Alpha is
// dropped, not composited. Unknown formats, a missing library, damaged or truncated files and pictures over the limits are errors.
Result<Image> decode_image(std::span<const std::byte> bytes, std::string_view what, const ImageDecodeOptions& options = {});

// Reads and decodes a file of at most four bytes for each pixel that is allowed (800 MB).
Result<Image> load_image(const Path& path, const ImageDecodeOptions& options = {});

}  // namespace fastvlm
