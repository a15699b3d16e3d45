#include "fastvlm/image/preprocess_settings.h"

#include <algorithm>

namespace fastvlm {
namespace {

constexpr std::int64_t kStride = 64;

struct ModeName {
  ImageMode mode;
  std::string_view name;
};
constexpr ModeName kModes[] = {{ImageMode::kPad, "pad"}, {ImageMode::kCrop, "crop"}, {ImageMode::kStretch, "stretch"}};

}  // namespace

Result<ImageMode> image_mode_of(std::string_view name) {
  for (const ModeName& row : kModes)
    if (row.name == name) return row.mode;
  return bad_usage("\"{}\" is not an image mode; use \"pad\", \"crop\" or \"stretch\"", name);
}

std::string_view name(ImageMode mode) { return kModes[static_cast<std::size_t>(mode)].name; }

Status check_image_size(std::int64_t size) {
  if (size >= kStride && size <= kMaxImageSize && size % kStride == 0) return {};
  const auto nearest = std::clamp<std::int64_t>((size + kStride / 2) / kStride * kStride, kStride, kMaxImageSize);
  return bad_usage(
      "image size {}: must be a multiple of {} from 64 to {}, because the tower halves the picture six times; the nearest is {}", size,
      kStride, kMaxImageSize, nearest);
}

PreprocessSettings PreprocessSettings::at_size(int other) const {
  PreprocessSettings result = *this;
  if (other == size) return result;
  result.size = other;
  // The border that is cut off keeps its share of the picture.
  if (resize_to != 0) result.resize_to = static_cast<int>(static_cast<std::int64_t>(resize_to) * other / size);
  return result;
}

}  // namespace fastvlm
