#include "fastvlm/image/preprocess.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "fastvlm/base/hash.h"
#include "fastvlm/base/json.h"

namespace fastvlm {
namespace {

const Path kFolder = Path(FASTVLM_TEST_DATA) / "images";

std::string hash_of(const Image& image) { return sha256_of({reinterpret_cast<const char*>(image.rgb.data()), image.rgb.size()}); }

Image square_of(const Image& picture, int size, ImageMode mode) {
  Result<Image> square = preprocess(picture, {.size = size, .mode = mode});
  EXPECT_TRUE(square.ok());
  return square.ok() ? *square : Image{};
}

void expect_equal(const Image& actual, const Path& expected_file) {
  Result<Image> expected = load_image(expected_file);
  ASSERT_TRUE(expected.ok()) << expected.error().message;
  EXPECT_EQ(actual.width, expected->width);
  EXPECT_TRUE(actual.rgb == expected->rgb) << expected_file;
}

struct ModeName {
  ImageMode mode;
  std::string name;
};
const ModeName kModes[] = {{ImageMode::kPad, "pad"}, {ImageMode::kCrop, "crop"}};

TEST(Preprocess, GivesTheBytesOfPillow) {
  Result<Json> cases = read_json_file(kFolder / "cases.json");
  ASSERT_TRUE(cases.ok());
  int compared = 0;
  for (const Json& item : *cases) {
    const std::string file = item["file"];
    SCOPED_TRACE(file);
    Result<Image> picture = load_image(kFolder / "input" / file, {.ignore_exif = true});
    ASSERT_TRUE(picture.ok());
    for (const auto& [mode, name] : kModes) {
      if (!item.contains(name + "1024_sha256")) continue;
      EXPECT_EQ(hash_of(square_of(*picture, 1024, mode)), item[name + "1024_sha256"].get<std::string>()) << name;
      expect_equal(square_of(*picture, 256, mode), kFolder / "expected" / (file + "." + name + "256.png"));
      ++compared;
    }
  }
  EXPECT_EQ(compared, 23);
}

TEST(Preprocess, GivesTheBytesOfPillowForATurnedPicture) {
  Result<Image> picture = load_image(kFolder / "input/exif6.jpg");
  ASSERT_TRUE(picture.ok());
  for (const auto& [mode, name] : kModes)
    expect_equal(square_of(*picture, 256, mode), kFolder / "expected" / ("exif6.jpg.upright." + name + "256.png"));
}

TEST(Preprocess, CropsAThinStripAsPillowDoesWithMoreMemory) {
  // Pillow makes a picture of 238933 x 1024 pixels first; these are the hashes of what it then cuts out.
  Result<Image> picture = load_image(kFolder / "input/thin.png");
  ASSERT_TRUE(picture.ok());
  EXPECT_EQ(hash_of(square_of(*picture, 256, ImageMode::kCrop)), "19963c0ef9fe4002e17f4e4819c1d6776d7e0cd46cf182aa0d3579cda138e26b");
  EXPECT_EQ(hash_of(square_of(*picture, 1024, ImageMode::kCrop)), "ff393e57b3828ccbc5d76b84097bea6fbc38c5c0f46cefd06ca847a62eb12825");
}

TEST(Preprocess, ShrinksATallPictureAlongItsColumnsFirst) {
  // Pillow 13. Earlier versions go along the rows first, and 13 does so too unless the height shrinks much more.
  Result<Image> picture = load_image(kFolder / "edge/tall.jpg");
  ASSERT_TRUE(picture.ok());
  EXPECT_EQ(hash_of(square_of(*picture, 64, ImageMode::kCrop)), "ae23190440bd708533508f15af61d6957ec39f754c07e6dd84d36674dfcb3c8d");
}

TEST(Preprocess, TakesAnyShape) {
  for (auto [width, height] : {std::pair{1, 1}, {1, kMaxImageSide}, {kMaxImageSide, 1}, {2, 1}, {3, 700}}) {
    Image picture = Image::black(width, height);
    std::fill(picture.rgb.begin(), picture.rgb.end(), 200);
    for (const auto& [mode, name] : kModes) {
      const Image square = square_of(picture, 128, mode);
      EXPECT_EQ(square.rgb.size(), 128u * 128 * 3);
      const auto from_picture = std::count(square.rgb.begin(), square.rgb.end(), 200);
      EXPECT_EQ(from_picture == 128 * 128 * 3, mode == ImageMode::kCrop || width == height) << width << " x " << height << ", " << name;
    }
  }
}

TEST(Preprocess, RefusesSizesThatTheTowerCannotTake) {
  const Image picture = Image::black(4, 4);
  for (int size : {-64, 0, 1, 100, 1000, kMaxImageSize + 64}) EXPECT_FALSE(preprocess(picture, {.size = size}).ok()) << size;
  EXPECT_EQ(preprocess(picture, {.size = 1000}).error().message,
            "image size 1000: must be a multiple of 64 from 64 to 4096, because the tower halves the picture six times; the nearest is "
            "1024");
}

TEST(Preprocess, KnowsTheModesByName) {
  for (const auto& [mode, name] : kModes) {
    Result<ImageMode> found = image_mode_of(name);
    ASSERT_TRUE(found.ok());
    EXPECT_EQ(*found, mode);
  }
  EXPECT_FALSE(image_mode_of("fit").ok());
}

TEST(Preprocess, OrdersPixelValuesByChannel) {
  Image image = Image::black(2, 1);
  image.rgb = {0, 51, 255, 102, 153, 204};
  std::vector<float> values(6);
  to_pixel_values(image, {}, values);
  EXPECT_EQ(values, (std::vector<float>{0.0f, 0.4f, 0.2f, 0.6f, 1.0f, 0.8f}));
}

TEST(Preprocess, GoesFromAFileToPixelValues) {
  Result<std::vector<float>> values = load_pixel_values(kFolder / "input/coffee.png", {.settings = {.size = 256}});
  Result<Image> expected = load_image(kFolder / "expected/coffee.png.pad256.png");
  ASSERT_TRUE(values.ok() && expected.ok());
  std::vector<float> expected_values(256 * 256 * 3);
  to_pixel_values(*expected, {}, expected_values);
  EXPECT_EQ(*values, expected_values);
}

}  // namespace
}  // namespace fastvlm
