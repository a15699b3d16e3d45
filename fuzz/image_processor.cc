// Any JSON object as an image processor's settings: an error, or settings that make a picture of the size they say.
#include "fastvlm/checkpoint/image_processor.h"
#include "fastvlm/image/preprocess.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fastvlm;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto json = parse_json(text, "fuzz"); !json.ok() || !json->is_object()) return 0;
  std::vector<std::string> findings;
  const auto settings = settings_of(OrderedJson::parse(text), {.what = "fuzz", .findings = findings});
  if (!settings.ok() || !check_image_size(settings->size).ok() || settings->size > 128) return 0;
  const auto square = preprocess(Image::black(5, 3), *settings);
  FASTVLM_ASSERT(square.ok() && square->width == settings->size && square->height == settings->size, "the size it says");
  return 0;
}
