// TIFF through libtiff, where it is installed.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "fastvlm/base/result.h"
#include "fastvlm/image/decode.h"
#include "fastvlm/image/stored_image.h"

namespace fastvlm {

// The first picture: grey and palettes of 1, 2, 4 and 8 bits, and RGB of 8 bits (YCbCr within JPEG data too), in strips or tiles,
// whatever libtiff decompresses; alpha that is not premultiplied is dropped. Other kinds are refused by name. The orientation is the
// tag's, else that of the XMP tag. Limits and errors as for decode_image.
Result<StoredImage> read_tiff(std::span<const std::byte> bytes, std::string_view what, const ImageDecodeOptions& options);

}  // namespace fastvlm
