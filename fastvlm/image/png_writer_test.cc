#include "fastvlm/image/png_writer.h"

#include <gtest/gtest.h>

#include "fastvlm/image/decode.h"

namespace fastvlm {
namespace {

TEST(PngWriter, WritesWhatTheReaderReads) {
  const Path path = Path(testing::TempDir()) / "png_writer_test.png";
  Image image = Image::black(7, 5);
  for (std::size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = static_cast<std::uint8_t>(i * 37);
  ASSERT_TRUE(write_png(path, image).ok());
  Result<Image> again = load_image(path);
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(again->width, 7);
  EXPECT_EQ(again->height, 5);
  EXPECT_EQ(again->rgb, image.rgb);
  std::filesystem::remove(path);
}

TEST(PngWriter, NamesAFolderThatIsMissing) {
  const Status status = write_png("no_such_folder/picture.png", Image::black(1, 1));
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message.find("no_such_folder"), std::string::npos);
}

}  // namespace
}  // namespace fastvlm
