#include "fastvlm/image/preprocess.h"

#include <algorithm>
#include <array>

#include "fastvlm/base/try.h"
#include "fastvlm/image/resize.h"

namespace fastvlm {
namespace {

ResizeAxis padded_axis(int length, int side, int size) {
  return {.canvas = side, .offset = (side - length) / 2, .resized = size, .count = size};
}

// The length the axis is resized to is truncated, and so is the middle.
ResizeAxis cropped_axis(int length, int shorter, int size) {
  const std::int64_t resized = std::int64_t{size} * length / shorter;
  return {.canvas = length, .resized = resized, .first = (resized - size) / 2, .count = size};
}

}  // namespace

Result<ImageMode> image_mode_of(std::string_view name) {
  if (name == "pad") return ImageMode::kPad;
  if (name == "crop") return ImageMode::kCrop;
  return bad_usage("\"{}\" is not an image mode; use \"pad\" or \"crop\"", name);
}

Status check_image_size(int size) {
  if (size > 0 && size <= kMaxImageSize && size % 64 == 0) return {};
  return bad_usage("the image size {} does not work: the vision tower shrinks a picture 64-fold, so use a multiple of 64 up to {}", size,
                   kMaxImageSize);
}

Result<Image> preprocess(const Image& image, int size, ImageMode mode) {
  TRY(check_image_size(size));
  if (mode == ImageMode::kCrop) {
    const int shorter = std::min(image.width, image.height);
    return resize_bicubic(image, cropped_axis(image.width, shorter, size), cropped_axis(image.height, shorter, size));
  }
  const int side = std::max(image.width, image.height);
  return resize_bicubic(image, padded_axis(image.width, side, size), padded_axis(image.height, side, size));
}

void to_pixel_values(const Image& image, std::span<float> out) {
  const std::size_t pixels = static_cast<std::size_t>(image.width) * image.height;
  FASTVLM_ASSERT(out.size() == pixels * 3 && image.rgb.size() == pixels * 3, "three planes of the picture's size");
  std::array<float, 256> values;
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) / 255.0f;
  for (std::size_t channel = 0; channel < 3; ++channel)
    for (std::size_t i = 0; i < pixels; ++i) out[channel * pixels + i] = values[image.rgb[i * 3 + channel]];
}

Result<std::vector<float>> load_pixel_values(const Path& path, const PreprocessOptions& options) {
  TRY(check_image_size(options.size));
  TRY_ASSIGN(Image picture, load_image(path, options.decode));
  TRY_ASSIGN(Image square, preprocess(picture, options.size, options.mode));
  std::vector<float> values(square.rgb.size());
  to_pixel_values(square, values);
  return values;
}

}  // namespace fastvlm
