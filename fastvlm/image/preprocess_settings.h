// How a picture becomes what the vision tower sees: the settings of a checkpoint's image processor, checked.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fastvlm/base/result.h"
#include "fastvlm/image/image.h"
#include "fastvlm/image/resize_filter.h"

namespace fastvlm {

enum class ImageMode {
  // Apple's reference: centred on a square of one colour, which is then resized.
  kPad,
  // The Hugging Face processor: the shorter side is resized to fit and the middle of the longer one is kept.
  kCrop,
  // Both sides are resized, whatever the shape of the picture.
  kStretch,
};

// "pad", "crop" and "stretch".
Result<ImageMode> image_mode_of(std::string_view name);
std::string_view name(ImageMode mode);

// The sizes a vision tower can take: multiples of 64 (it halves six times) up to kMaxImageSize.
constexpr int kMaxImageSize = 4096;
// Refuses all others, with the reason and the nearest that it can take.
Status check_image_size(std::int64_t size);

// The defaults are FastVLM's. Order: pad, resize, cut the middle out, then value * rescale_factor, then (value - mean) / std.
struct PreprocessSettings {
  int size = 1024;  // side of the result in pixels
  ImageMode mode = ImageMode::kPad;
  bool resize = true;
  int resize_to = 0;  // what the shorter side becomes (kStretch: both) before the middle is cut out; 0: size
  ResizeFilter filter = ResizeFilter::kBicubic;
  Color pad_color = {0, 0, 0};
  double rescale_factor = 0.00392156862745098;  // 1 / 255, as the files write it
  std::array<double, 3> mean = {0, 0, 0};
  std::array<double, 3> std = {1, 1, 1};

  int resized_side() const { return resize_to == 0 ? size : resize_to; }
  // The same for another side; nothing is cut off then that was not before.
  PreprocessSettings at_size(int other) const;
  friend bool operator==(const PreprocessSettings&, const PreprocessSettings&) = default;
};

}  // namespace fastvlm
