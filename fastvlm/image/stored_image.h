// What the readers of the formats share.
#pragma once

#include <algorithm>
#include <functional>
#include <string_view>

#include "fastvlm/base/result.h"
#include "fastvlm/image/decode.h"

namespace fastvlm {

// A picture as the file stores it.
struct StoredImage {
  Image image;
  int orientation = 1;  // EXIF, 1 to 8
};

// Takes a picture as it is decoded, so that the whole of it is never in memory.
struct StripTaker {
  // Before the first strip: the size as stored and the orientation as far as it is known. Called anew if a PNG states another
  // orientation behind its pixels; then all strips follow again.
  std::function<void(int width, int height, int orientation)> begin;
  // The next rows, from top to bottom.
  std::function<void(const Image& strip)> take;
};

// Rows of a strip: a few megabytes.
inline int strip_height(int width, int height) {
  constexpr int kStripBytes = 8 << 20;
  return std::min(height, std::clamp(kStripBytes / (width * 3), 16, 256));
}

// Refuses a size that a header claims, before any memory is taken for it.
inline Status check_size(std::uint64_t width, std::uint64_t height, std::string_view what, const ImageDecodeOptions& options) {
  if (width == 0 || height == 0) return bad_input("{}: the picture has no pixels ({} x {})", what, width, height);
  if (width > kMaxImageSide || height > kMaxImageSide || width * height > options.max_pixels)
    return bad_input("{}: the picture is {} x {} pixels; at most {} pixels and {} on a side are read, so scale it down first", what, width,
                     height, options.max_pixels, kMaxImageSide);
  return {};
}

}  // namespace fastvlm
