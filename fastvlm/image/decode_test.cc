#include "fastvlm/image/decode.h"

#include <gtest/gtest.h>

#include <string>

#include "fastvlm/base/hash.h"
#include "fastvlm/base/json.h"

namespace fastvlm {
namespace {

const Path kFolder = Path(FASTVLM_TEST_DATA) / "images";

std::string hash_of(const Image& image) { return sha256_of({reinterpret_cast<const char*>(image.rgb.data()), image.rgb.size()}); }

std::string bytes_of(const Path& name) {
  Result<std::string> text = read_file(kFolder / name, 1 << 24);
  EXPECT_TRUE(text.ok());
  return text.ok() ? *text : "";
}

std::string message_of(std::string_view bytes, const ImageDecodeOptions& options = {}) {
  Result<Image> image = decode_image(as_bytes(bytes), "cat.jpg", options);
  return image.ok() ? "decoded" : image.error().message;
}

void expect_cases(const char* list, const char* folder, const ImageDecodeOptions& options) {
  Result<Json> cases = read_json_file(kFolder / list);
  ASSERT_TRUE(cases.ok());
  ASSERT_FALSE(cases->empty());
  for (const Json& item : *cases) {
    SCOPED_TRACE(item["file"]);
    Result<Image> image = load_image(kFolder / folder / item["file"].get<std::string>(), options);
    if (!image.ok()) {
      ADD_FAILURE() << image.error().message;
      continue;
    }
    EXPECT_EQ(image->width, item["width"]);
    EXPECT_EQ(image->height, item["height"]);
    EXPECT_EQ(hash_of(*image), item["rgb_sha256"].get<std::string>());
  }
}

TEST(Decode, GivesTheBytesOfPillow) { expect_cases("cases.json", "input", {.ignore_exif = true}); }

TEST(Decode, GivesTheBytesOfPillowForUnusualKinds) { expect_cases("edge_cases.json", "edge", {}); }

TEST(Decode, TurnsUprightUnlessTold) {
  Result<Image> upright = load_image(kFolder / "input/exif6.jpg");
  Result<Image> stored = load_image(kFolder / "input/exif6.jpg", {.ignore_exif = true});
  ASSERT_TRUE(upright.ok() && stored.ok());
  EXPECT_EQ(upright->width, stored->height);
  EXPECT_EQ(upright->height, stored->width);
}

TEST(Decode, ClipsSixteenBitGreyAsPillow) {
  Result<Image> image = load_image(kFolder / "edge/grey16.png");
  ASSERT_TRUE(image.ok());
  const std::uint8_t expected[] = {0, 100, 255, 255, 255, 255, 255, 255};
  for (int x = 0; x < image->width; ++x) EXPECT_EQ(image->row(0)[x * 3], expected[x]);
}

TEST(Decode, RefusesAFileThatIsCutOffAnywhere) {
  for (const char* name : {"edge/sampling_420.jpg", "edge/cmyk_progressive.jpg", "edge/interlaced.png", "edge/exif6.png"}) {
    SCOPED_TRACE(name);
    const std::string whole = bytes_of(name);
    // A PNG may lack what follows its pixels: the end chunk, and the check sum at the end of the pixels' own chunk.
    const std::size_t end = whole.starts_with("\xff\xd8") ? whole.size() : whole.rfind("IEND") - 8;
    for (std::size_t length = 0; length < end; ++length)
      ASSERT_NE(message_of(whole.substr(0, length)), "decoded") << "cut to " << length << " of " << whole.size();
  }
}

TEST(Decode, SaysThatAFileIsTruncated) {
  EXPECT_EQ(message_of(bytes_of("input/rocket.jpg").substr(0, 20000)), "cat.jpg: the JPEG cannot be decoded (the file is truncated)");
  EXPECT_EQ(message_of(bytes_of("input/coffee.png").substr(0, 20000)), "cat.jpg: the PNG cannot be decoded (the file is truncated)");
}

TEST(Decode, RefusesDamagedPixels) {
  std::string jpeg = bytes_of("input/rocket.jpg");
  jpeg.replace(jpeg.size() / 2, 2, "\xff\xd9");  // an end marker in the middle
  EXPECT_NE(message_of(jpeg).find("cannot be decoded"), std::string::npos);
  std::string png = bytes_of("input/coffee.png");
  png[png.size() / 2] ^= 1;
  EXPECT_NE(message_of(png).find("cannot be decoded"), std::string::npos);
}

TEST(Decode, NamesTheFormatItCannotRead) {
  using namespace std::string_literals;
  EXPECT_EQ(message_of("\xff\x0a......"s), "cat.jpg: the format JPEG XL is not supported; convert the picture to JPEG or PNG");
  EXPECT_NE(message_of("8BPS............").find("format Photoshop"), std::string::npos);
  EXPECT_EQ(message_of("hello"), "cat.jpg: this is no picture of a known format; convert it to JPEG or PNG");
  EXPECT_NE(message_of("<?xml version=\"1.0\"?>\n<svg xmlns=\"x\">").find("format SVG"), std::string::npos);
  EXPECT_NE(message_of("version https://git-lfs.github.com/spec/v1\n").find("no picture but a Git LFS pointer"), std::string::npos);
  EXPECT_NE(message_of("<!DOCTYPE html><html>").find("no picture but an HTML or XML page"), std::string::npos);
  EXPECT_NE(message_of("PK\x03\x04 something").find("no picture but a zip archive"), std::string::npos);
  EXPECT_EQ(message_of(""), "cat.jpg: the file is empty; a picture was expected");
}

TEST(Decode, RefusesABombByItsHeader) {
  // A header that claims 60000 x 60000 pixels in a file of a few bytes.
  std::string jpeg = bytes_of("edge/grey.jpg");
  jpeg.replace(jpeg.find("\xff\xc0") + 5, 4, "\xea\x60\xea\x60");
  EXPECT_EQ(message_of(jpeg),
            "cat.jpg: the picture is 60000 x 60000 pixels; at most 200000000 pixels and 65535 on a side are read, "
            "so scale it down first");
  const std::string small = bytes_of("edge/grey.jpg");
  EXPECT_EQ(message_of(small, {.max_pixels = 37 * 23}), "decoded");
  EXPECT_NE(message_of(small, {.max_pixels = 37 * 23 - 1}), "decoded");
}

TEST(Decode, RefusesAProgressiveJpegOfEndlessScans) {
  std::string jpeg = bytes_of("edge/progressive_grey.jpg");
  const std::size_t end = jpeg.rfind("\xff\xd9");
  // The last scan, from its marker on, over and over.
  const std::string scan = jpeg.substr(jpeg.rfind("\xff\xda"), end - jpeg.rfind("\xff\xda"));
  std::string many = jpeg.substr(0, end);
  for (int i = 0; i < 300; ++i) many += scan;
  EXPECT_EQ(message_of(many + "\xff\xd9"), "cat.jpg: the JPEG cannot be decoded (it has more scans than any honest picture)");
}

TEST(Decode, NamesAMissingFile) {
  Result<Image> image = load_image("no_such_picture.jpg");
  ASSERT_FALSE(image.ok());
  EXPECT_EQ(image.error().message, "no_such_picture.jpg: there is no such file");
}

}  // namespace
}  // namespace fastvlm
