// Formats other than JPEG and PNG. Where the library of one is not installed, the sentence that says so is what counts.
#include <gtest/gtest.h>

#include "fastvlm/base/hash.h"
#include "fastvlm/base/json.h"
#include "fastvlm/image/decode.h"
#include "fastvlm/image/optional_library.h"

namespace fastvlm {
namespace {

const Path kFolder = Path(FASTVLM_TEST_DATA) / "images";

std::string hash_of(const Image& image) { return sha256_of({reinterpret_cast<const char*>(image.rgb.data()), image.rgb.size()}); }

struct Needs {
  const char* extension;
  const char* library;
  const char* package;
};
constexpr Needs kNeeds[] = {{".webp", "libwebp.so.7", "libwebp7"},
                            {".tif", "libtiff.so.6", "libtiff6"},
                            {".heic", "libheif.so.1", "libheif1"},
                            {".avif", "libheif.so.1", "libheif1"}};

// True when the error is the one that a missing library makes, and it is missing.
bool library_is_missing(const Path& file, const Error& error) {
  for (const Needs& row : kNeeds)
    if (file.extension() == row.extension && !OptionalLibrary(row.library).complete())
      return error.kind == ErrorKind::kEnvironment &&
             error.message.find(fmt::format("apt-get install {}", row.package)) != std::string::npos;
  return false;
}

TEST(Formats, GiveTheBytesOfPillow) {
  const Json cases = read_json_file(kFolder / "format_cases.json").value()["exact"];
  ASSERT_GT(cases.size(), 40u);
  for (const Json& row : cases) {
    const Path file = kFolder / "formats" / row["file"].get<std::string>();
    const Result<Image> image = load_image(file);
    if (!image.ok()) {
      EXPECT_TRUE(library_is_missing(file, image.error())) << image.error().message;
      continue;
    }
    EXPECT_EQ(image->width, row["width"]) << row;
    EXPECT_EQ(image->height, row["height"]) << row;
    EXPECT_EQ(hash_of(*image), row["rgb_sha256"].get<std::string>()) << row;
  }
}

TEST(Formats, HeicAndAvifComeNearToWhatPillowMakes) {
  const Json cases = read_json_file(kFolder / "format_cases.json").value();
  ASSERT_FALSE(cases["near"].empty());
  for (const Json& name : cases["near"]) {
    const Path file = kFolder / "formats" / name.get<std::string>();
    const Image expected = load_image(file.string() + ".expected.png").value();
    const Result<Image> image = load_image(file);
    if (!image.ok()) {
      EXPECT_TRUE(library_is_missing(file, image.error())) << image.error().message;
      continue;
    }
    ASSERT_EQ(image->width, expected.width) << name;
    ASSERT_EQ(image->height, expected.height) << name;
    int most = 0;
    for (std::size_t i = 0; i < expected.rgb.size(); ++i) most = std::max(most, std::abs(int{expected.rgb[i]} - int{image->rgb[i]}));
    EXPECT_LE(most, 2) << name;
  }
}

TEST(Formats, AFileThatIsCutOffIsNeverTakenForAWholeOne) {
  for (const char* name : {"rgb24.bmp", "os2.bmp", "interlaced.gif", "long_codes.gif", "lossless.webp", "lossy.webp", "deflate.tif"}) {
    const std::string whole = read_file(kFolder / "formats" / name, 1 << 20).value();
    const std::size_t step = whole.size() / 97 + 1;
    // What follows the pixels of a GIF is one end byte and one empty block, and a WebP may fill up its last chunk.
    for (std::size_t length = 1; length + 8 < whole.size(); length += step) {
      const Result<Image> image = decode_image(as_bytes(std::string_view(whole).substr(0, length)), "cut", {});
      EXPECT_FALSE(image.ok()) << name << " cut to " << length << " of " << whole.size();
    }
  }
}

TEST(Formats, AGifNeedsNoEndButItsLastBlockAsAWhole) {
  for (const char* name : {"grey.gif", "interlaced.gif", "long_codes.gif", "palette.gif"}) {
    const std::string whole = read_file(kFolder / "formats" / name, 1 << 20).value();
    for (const std::size_t missing : {1, 2, 3, 4, 5})
      EXPECT_EQ(decode_image(as_bytes(std::string_view(whole).substr(0, whole.size() - missing)), "cut", {}).ok(), missing <= 2)
          << name << " without " << missing;
  }
}

TEST(Formats, AMissingLibraryNamesThePackage) {
  const Error error = missing_library("cat.webp", "WebP", "libwebp.so.7", "libwebp7");
  EXPECT_EQ(error.kind, ErrorKind::kEnvironment);
  EXPECT_EQ(error.message,
            "cat.webp: a WebP picture needs libwebp.so.7, which is not installed; install it (Debian: apt-get install libwebp7) or convert "
            "the picture to JPEG or PNG");
  OptionalLibrary missing("libno_such_decoder.so.1");
  int (*function)() = nullptr;
  missing.find("decode", function);
  EXPECT_FALSE(missing.complete());
  EXPECT_EQ(function, nullptr);
}

TEST(Formats, ABombIsRefusedByItsHeader) {
  using namespace std::string_literals;
  std::string gif = read_file(kFolder / "formats/palette.gif", 1 << 20).value();
  gif.replace(6, 4, "\xff\xff\xff\xff");
  std::string bmp = read_file(kFolder / "formats/rgb24.bmp", 1 << 20).value();
  bmp.replace(18, 8, "\x30\x75\0\0\x30\x75\0\0"s);
  for (const std::string& bytes : {gif, bmp}) {
    const auto refused = decode_image(as_bytes(bytes), "bomb", {});
    ASSERT_FALSE(refused.ok());
    EXPECT_NE(refused.error().message.find("at most 200000000 pixels"), std::string::npos) << refused.error().message;
  }
}

TEST(Formats, AKindThatIsNotReadIsNamed) {
  using namespace std::string_literals;
  std::string bmp = read_file(kFolder / "formats/palette.bmp", 1 << 20).value();
  bmp.replace(30, 4, "\1\0\0\0"s);
  EXPECT_EQ(decode_image(as_bytes(bmp), "cat.bmp", {}).error().message,
            "cat.bmp: a BMP with run-length or other compression (1) is not supported; convert it to PNG");
}

}  // namespace
}  // namespace fastvlm
