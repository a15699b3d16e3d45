// PNG through libpng.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "fastvlm/base/result.h"
#include "fastvlm/image/decode.h"
#include "fastvlm/image/stored_image.h"

namespace fastvlm {

// Every colour type and depth, interlaced or not. Palettes and grey become RGB, alpha is dropped, 16 bits keep their
// upper 8. The orientation comes from the eXIf chunk, else from XMP. Limits and errors as for decode_image.
// With a taker the pixels go there strip by strip, and the image of the result is empty.
Result<StoredImage> read_png(std::span<const std::byte> bytes, std::string_view what, const ImageDecodeOptions& options,
                             const StripTaker* taker = nullptr);

}  // namespace fastvlm
