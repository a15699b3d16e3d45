// From a picture to what the vision tower sees.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/base/result.h"
#include "fastvlm/image/decode.h"
#include "fastvlm/image/image.h"

namespace fastvlm {

enum class ImageMode {
  // Apple's reference: centred on a black square, which is then resized.
  kPad,
  // The Hugging Face processor: the shorter side is resized to fit and the middle of the longer one is kept.
  kCrop,
};

// "pad" and "crop".
Result<ImageMode> image_mode_of(std::string_view name);

// The sizes a vision tower can take: multiples of 64 (it halves six times) up to kMaxImageSize.
constexpr int kMaxImageSize = 4096;
Status check_image_size(int size);

// size x size pixels, byte for byte as Pillow makes them. Any shape of picture has a result in both modes: only the
// middle of a cropped strip is computed, never the strip.
Result<Image> preprocess(const Image& image, int size, ImageMode mode);

// `out` becomes [3, height, width]: the red, green and blue plane, each value / 255. It must have that many elements.
void to_pixel_values(const Image& image, std::span<float> out);

struct PreprocessOptions {
  int size = 1024;
  ImageMode mode = ImageMode::kPad;
  ImageDecodeOptions decode = {};
};

// All in one: a picture file to [3, size, size] values in [0, 1].
Result<std::vector<float>> load_pixel_values(const Path& path, const PreprocessOptions& options = {});

}  // namespace fastvlm
