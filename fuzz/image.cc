// Any bytes as a picture of any format: an error, or a picture of the size it says and then all kinds of preprocessing.
// tests/data/images/edge and tests/data/images/formats are good seeds.
// then both kinds of preprocessing.
#include "fastvlm/image/decode.h"
#include "fastvlm/image/preprocess.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fastvlm;
  const ImageDecodeOptions options = {.max_pixels = 1 << 18};
  Result<Image> image = decode_image(std::as_bytes(std::span(data, size)), "fuzz", options);
  if (!image.ok()) return 0;
  FASTVLM_ASSERT(image->rgb.size() == image->row_bytes() * static_cast<std::size_t>(image->height), "a whole picture");
  for (ImageMode mode : {ImageMode::kPad, ImageMode::kCrop, ImageMode::kStretch}) {
    Result<Image> square = preprocess(*image, {.size = 64, .mode = mode});
    FASTVLM_ASSERT(square.ok() && square->rgb.size() == 64 * 64 * 3, "any picture has a square");
  }
  return 0;
}
