#include "fastvlm/image/preprocess.h"

#include <algorithm>
#include <array>
#include <optional>

#include "fastvlm/base/try.h"
#include "fastvlm/image/decode_strips.h"
#include "fastvlm/image/resize.h"
#include "fastvlm/image/strip_resizer.h"

namespace fastvlm {
namespace {

// How one axis is resized, and where the result lies in the final picture: a window of at most `size`, cut out of the middle.
struct Placed {
  ResizeAxis axis;
  int before = 0;  // black pixels before the result, where it is shorter than the final picture
};

// `resized` is the length that the canvas becomes. The middle is truncated as transformers' center_crop does.
Placed placed_axis(std::int64_t canvas, std::int64_t offset, std::int64_t resized, int size) {
  if (resized < size)
    return {{.canvas = canvas, .offset = offset, .resized = resized, .count = static_cast<int>(resized)},
            static_cast<int>((size - resized + 1) / 2)};
  return {{.canvas = canvas, .offset = offset, .resized = resized, .first = (resized - size) / 2, .count = size}};
}

Placed placed_axis(int length, int other, const PreprocessSettings& settings) {
  const bool pads = settings.mode == ImageMode::kPad;
  const std::int64_t canvas = pads ? std::max(length, other) : length, offset = (canvas - length) / 2;
  std::int64_t resized = canvas;
  // The length is truncated, too.
  if (settings.resize)
    resized = settings.mode == ImageMode::kCrop ? std::int64_t{settings.resized_side()} * length / std::min(length, other)
                                                : settings.resized_side();
  return placed_axis(canvas, offset, resized, settings.size);
}

Image on_black(const Image& image, int size, int left, int top) {
  Image out = Image::black(size, size);
  for (int y = 0; y < image.height; ++y)
    std::copy_n(image.row(y), image.row_bytes(), out.row(top + y) + static_cast<std::size_t>(left) * 3);
  return out;
}

ResizeHow resize_how(const PreprocessSettings& settings) {
  return {.filter = settings.resize ? settings.filter : ResizeFilter::kNearest, .canvas = settings.pad_color};
}

}  // namespace

Result<Image> preprocess(const Image& image, const PreprocessSettings& settings) {
  TRY(check_image_size(settings.size));
  const Placed across = placed_axis(image.width, image.height, settings), down = placed_axis(image.height, image.width, settings);
  Image out = resize(image, across.axis, down.axis, resize_how(settings));
  if (out.width == settings.size && out.height == settings.size) return out;
  return on_black(out, settings.size, across.before, down.before);
}

Result<PreprocessedImage> load_preprocessed(const Path& path, const PreprocessOptions& options) {
  const PreprocessSettings& settings = options.settings;
  TRY(check_image_size(settings.size));
  PreprocessedImage result;
  Placed across, down;
  std::optional<StripResizer> resizer;
  const auto begin = [&](int width, int height, int orientation) {
    const StoredShape stored = {.width = width, .height = height, .orientation = orientation};
    result.source_width = stored.upright_width();
    result.source_height = stored.upright_height();
    across = placed_axis(result.source_width, result.source_height, settings);
    down = placed_axis(result.source_height, result.source_width, settings);
    resizer.emplace(stored, across.axis, down.axis, resize_how(settings));
  };
  TRY(load_strips(path, options.decode, {.begin = begin, .take = [&](const Image& strip) { resizer->take(strip); }}));
  result.image = resizer->finish();
  if (result.image.width != settings.size || result.image.height != settings.size)
    result.image = on_black(result.image, settings.size, across.before, down.before);
  return result;
}

void to_pixel_values(const Image& image, const PreprocessSettings& settings, std::span<float> out) {
  const std::size_t pixels = static_cast<std::size_t>(image.width) * image.height;
  FASTVLM_ASSERT(out.size() == pixels * 3 && image.rgb.size() == pixels * 3, "three planes of the picture's size");
  for (std::size_t channel = 0; channel < 3; ++channel) {
    const float mean = static_cast<float>(settings.mean[channel]), std = static_cast<float>(settings.std[channel]);
    std::array<float, 256> values;
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = (static_cast<float>(static_cast<double>(i) * settings.rescale_factor) - mean) / std;
    for (std::size_t i = 0; i < pixels; ++i) out[channel * pixels + i] = values[image.rgb[i * 3 + channel]];
  }
}

Result<std::vector<float>> load_pixel_values(const Path& path, const PreprocessOptions& options) {
  TRY_ASSIGN(const PreprocessedImage square, load_preprocessed(path, options));
  std::vector<float> values(square.image.rgb.size());
  to_pixel_values(square.image, options.settings, values);
  return values;
}

}  // namespace fastvlm
