// JPEG through libjpeg-turbo.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "fastvlm/base/result.h"
#include "fastvlm/image/decode.h"
#include "fastvlm/image/stored_image.h"

namespace fastvlm {

// Baseline, extended and progressive; grey, YCbCr, RGB, CMYK and YCCK (both inverted as Adobe writes them). Limits and
// errors as for decode_image.
// With a taker the pixels go there strip by strip, and the image of the result is empty.
Result<StoredImage> read_jpeg(std::span<const std::byte> bytes, std::string_view what, const ImageDecodeOptions& options,
                              const StripTaker* taker = nullptr);

}  // namespace fastvlm
