// Decoding without ever holding the whole picture, for the formats that allow it.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "fastvlm/base/files.h"
#include "fastvlm/base/result.h"
#include "fastvlm/image/decode.h"
#include "fastvlm/image/stored_image.h"

namespace fastvlm {

// The pixels of decode_image, as stored, strip by strip: JPEG and PNG as they are decoded; interlaced PNG and all other formats in
// one strip. The taker's orientation is 1 with ignore_exif. After an error, what was taken is worthless.
Status decode_strips(std::span<const std::byte> bytes, std::string_view what, const ImageDecodeOptions& options, const StripTaker& taker);

// The same for a file, as load_image.
Status load_strips(const Path& path, const ImageDecodeOptions& options, const StripTaker& taker);

}  // namespace fastvlm
