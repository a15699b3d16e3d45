#include "fastvlm/image/strip_resizer.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "fastvlm/image/orientation.h"
#include "fastvlm/image/preprocess.h"

namespace fastvlm {
namespace {

Image made_up_picture(int width, int height) {
  Image image = Image::black(width, height);
  std::uint32_t state = 1;
  for (auto& byte : image.rgb) byte = static_cast<std::uint8_t>((state = state * 1664525 + 1013904223) >> 24);
  return image;
}

// In strips of 1, 2, 3, ... rows.
Image by_strips(const Image& picture, StripResizer& resizer) {
  for (int y = 0, rows = 1; y < picture.height; y += rows, ++rows) {
    rows = std::min(rows, picture.height - y);
    Image strip = Image::black(picture.width, rows);
    std::copy_n(picture.row(y), strip.rgb.size(), strip.rgb.data());
    resizer.take(strip);
  }
  return resizer.finish();
}

TEST(StripResizer, GivesTheBytesOfTheWholePictureInEveryOrientation) {
  for (auto [width, height] : {std::pair{300, 211}, {40, 700}, {700, 40}, {33, 50}}) {
    const Image picture = made_up_picture(width, height);
    for (int orientation = 1; orientation <= 8; ++orientation)
      for (ResizeFilter filter : {ResizeFilter::kBicubic, ResizeFilter::kNearest}) {
        SCOPED_TRACE(testing::Message() << width << " x " << height << ", orientation " << orientation);
        const Image upright = turn_upright(picture, orientation);
        // A canvas with a border that is not the same on both sides, a window that is not in the middle.
        const ResizeAxis across = {.canvas = upright.width + 31, .offset = 7, .resized = 90, .first = 3, .count = 80};
        const ResizeAxis down = {.canvas = upright.height + 9, .offset = 4, .resized = 60, .first = 1, .count = 50};
        const ResizeHow how = {.filter = filter, .canvas = {10, 200, 30}};
        StripResizer resizer({.width = width, .height = height, .orientation = orientation}, across, down, how);
        EXPECT_TRUE(by_strips(picture, resizer).rgb == resize(upright, across, down, how).rgb);
      }
  }
}

TEST(StripResizer, PreprocessesEveryTestPictureToTheBytesOfTheWholePath) {
  int compared = 0;
  for (const char* folder : {"input", "edge"})
    for (const auto& file : std::filesystem::directory_iterator(Path(FASTVLM_TEST_DATA) / "images" / folder)) {
      SCOPED_TRACE(file.path());
      Result<Image> picture = load_image(file.path());
      for (ImageMode mode : {ImageMode::kPad, ImageMode::kCrop, ImageMode::kStretch}) {
        const PreprocessSettings settings = {.size = 64, .mode = mode, .pad_color = {122, 116, 104}};
        Result<PreprocessedImage> strips = load_preprocessed(file.path(), {.settings = settings});
        ASSERT_EQ(picture.ok(), strips.ok());
        if (!picture.ok()) continue;
        Result<Image> whole = preprocess(*picture, settings);
        ASSERT_TRUE(whole.ok());
        EXPECT_TRUE(strips->image.rgb == whole->rgb);
        EXPECT_EQ(strips->source_width, picture->width);
        EXPECT_EQ(strips->source_height, picture->height);
        ++compared;
      }
    }
  EXPECT_GE(compared, 150);
}

}  // namespace
}  // namespace fastvlm
