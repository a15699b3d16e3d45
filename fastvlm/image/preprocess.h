// From a picture to what the vision tower sees.
#pragma once

#include <span>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/base/result.h"
#include "fastvlm/image/decode.h"
#include "fastvlm/image/image.h"
#include "fastvlm/image/preprocess_settings.h"

namespace fastvlm {

// settings.size x settings.size pixels, byte for byte as Pillow makes them. Any shape of picture has a result in every mode: only
// the middle of a cropped strip is computed, never the strip.
Result<Image> preprocess(const Image& image, const PreprocessSettings& settings);

// `out` becomes [3, height, width]: the red, green and blue plane, each value rescaled in double precision and rounded to float,
// then normalised in float, as transformers' image processors do. It must have that many elements.
void to_pixel_values(const Image& image, const PreprocessSettings& settings, std::span<float> out);

struct PreprocessOptions {
  PreprocessSettings settings = {};
  ImageDecodeOptions decode = {};
};

struct PreprocessedImage {
  Image image;
  // Of the upright picture.
  int source_width = 0;
  int source_height = 0;
};

// The bytes of load_image and preprocess. A JPEG or PNG is resized as it is decoded and never whole in memory; interlaced PNG and
// progressive JPEG take what their libraries need.
Result<PreprocessedImage> load_preprocessed(const Path& path, const PreprocessOptions& options = {});

// All in one: a picture file to [3, size, size] values.
Result<std::vector<float>> load_pixel_values(const Path& path, const PreprocessOptions& options = {});

}  // namespace fastvlm
