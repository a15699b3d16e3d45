// BMP, read here.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "fastvlm/base/result.h"
#include "fastvlm/image/decode.h"
#include "fastvlm/image/stored_image.h"

namespace fastvlm {

// 1, 4 and 8 bits with a palette, 16 (5-5-5 and 5-6-5), 24 and 32 bits, from bottom to top or from top to bottom. Run-length
// coding and other masks are refused by name. Limits and errors as for decode_image.
Result<StoredImage> read_bmp(std::span<const std::byte> bytes, std::string_view what, const ImageDecodeOptions& options);

}  // namespace fastvlm
