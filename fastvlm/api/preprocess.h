// preprocess: a picture file becomes what the vision tower takes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fastvlm/base/error.h"

namespace fastvlm::api {

struct PreprocessOptions {
  std::string image;                       // picture file
  std::int64_t image_size = 1024;          // side in pixels, a multiple of 64
  bool crop = false;                       // the middle square, as transformers does; false: on a black square, as Apple does
  bool ignore_exif = false;                // do not turn the picture upright
  std::uint64_t max_pixels = 200'000'000;  // larger pictures are refused
};

// [3, image_size, image_size] values in [0, 1]: the red, green and blue plane.
Result<std::vector<float>> pixel_values(const PreprocessOptions& options);

}  // namespace fastvlm::api
