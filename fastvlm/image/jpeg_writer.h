// JPEG output, for pictures in reports.
#pragma once

#include <string>

#include "fastvlm/base/result.h"
#include "fastvlm/image/image.h"

namespace fastvlm {

// The bytes of a baseline JPEG; quality from 1 to 100 as libjpeg counts it.
Result<std::string> encode_jpeg(const Image& image, int quality = 80);

}  // namespace fastvlm
