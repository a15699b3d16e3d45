// WebP through libwebp, where it is installed.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "fastvlm/base/result.h"
#include "fastvlm/image/decode.h"
#include "fastvlm/image/stored_image.h"

namespace fastvlm {

// Lossy and lossless; of an animation the first frame, on black where it does not cover the canvas. Alpha is dropped. The
// orientation comes from the EXIF chunk, else from the XMP chunk. Limits and errors as for decode_image.
Result<StoredImage> read_webp(std::span<const std::byte> bytes, std::string_view what, const ImageDecodeOptions& options);

}  // namespace fastvlm
