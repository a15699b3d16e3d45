// HEIC and AVIF through libheif, where it is installed.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "fastvlm/base/result.h"
#include "fastvlm/image/decode.h"
#include "fastvlm/image/stored_image.h"

namespace fastvlm {

// The primary picture, alpha dropped. These formats say themselves how a picture is turned and mirrored, and libheif does it; EXIF
// does not count, by their rule. With ignore_exif the picture stays as it is stored. Limits and errors as for decode_image.
Result<StoredImage> read_heif(std::span<const std::byte> bytes, std::string_view what, const ImageDecodeOptions& options);

}  // namespace fastvlm
