#include "fastvlm/api/preprocess.h"

#include "fastvlm/api/bridge.h"
#include "fastvlm/image/preprocess.h"

namespace fastvlm::api {

Result<std::vector<float>> pixel_values(const PreprocessOptions& options) {
  if (options.image_size < 1 || options.image_size > kMaxImageSize)
    return bad_usage("image_size {}: must be a multiple of 64 up to {}", options.image_size, kMaxImageSize);
  return without_exceptions<std::vector<float>>([&] {
    return load_pixel_values(options.image, {.settings = {.size = static_cast<int>(options.image_size),
                                                          .mode = options.crop ? ImageMode::kCrop : ImageMode::kPad},
                                             .decode = {.ignore_exif = options.ignore_exif, .max_pixels = options.max_pixels}});
  });
}

}  // namespace fastvlm::api
