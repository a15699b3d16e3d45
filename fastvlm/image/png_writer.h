// PNG output.
#pragma once

#include "fastvlm/base/files.h"
#include "fastvlm/base/result.h"
#include "fastvlm/image/image.h"

namespace fastvlm {

// Writes an 8-bit RGB PNG without time stamp or other extra chunks: equal pictures give equal files. A reader sees the
// old file or the whole new one.
Status write_png(const Path& path, const Image& image);

}  // namespace fastvlm
