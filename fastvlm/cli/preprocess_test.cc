#include "fastvlm/image/preprocess.h"
#include "fastvlm/cli/program_for_tests.h"
#include "fastvlm/image/decode.h"

namespace fastvlm::cli {
namespace {

struct PictureCase {
  const char* input;
  const char* mode;
  bool ignore_exif;
  const char* expected;
};
// The reference's names: "upright" pictures were turned by their EXIF orientation, the others left as stored.
const PictureCase kPictureCases[] = {
    {"chelsea.png", "pad", false, "chelsea.png.pad256.png"},
    {"rocket.jpg", "crop", false, "rocket.jpg.crop256.png"},
    {"exif6.jpg", "pad", true, "exif6.jpg.pad256.png"},
    {"exif6.jpg", "pad", false, "exif6.jpg.upright.pad256.png"},
    {"exif6.jpg", "crop", false, "exif6.jpg.upright.crop256.png"},
    {"tall_rgba.png", "crop", false, "tall_rgba.png.crop256.png"},
};

TEST(PreprocessVerb, MakesThePixelsOfTheReference) {
  FolderForTests folder;
  for (const PictureCase& row : kPictureCases) {
    std::vector<std::string> arguments = {"preprocess", "--image", (kTestData / "images/input" / row.input).string(), "--image-size", "256",
                                          "--mode",     row.mode};
    if (row.ignore_exif) arguments.push_back("--ignore-exif");
    std::vector<std::string> to_png = arguments, to_bin = arguments;
    to_png.insert(to_png.end(), {"--output", (folder / "out.png").string()});
    to_bin.insert(to_bin.end(), {"--output", (folder / "out.bin").string()});
    EXPECT_EQ(run_json(to_png)["image_size"], 256);
    EXPECT_EQ(run_json(to_bin)["bytes"], 3 * 256 * 256 * 4);
    auto expected = load_image(kTestData / "images/expected" / row.expected);
    auto got = load_image(folder / "out.png");
    ASSERT_TRUE(expected.ok() && got.ok());
    EXPECT_EQ(got->rgb, expected->rgb) << row.expected;
    std::vector<float> values(expected->rgb.size());
    to_pixel_values(*expected, {}, values);
    EXPECT_EQ(folder.read("out.bin"), std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)))
        << row.expected;
  }
}

TEST(PreprocessVerb, DoesNotWriteOverThePictureItself) {
  FolderForTests folder;
  std::filesystem::copy_file(kTestData / "images/input/chelsea.png", folder / "cat.png");
  const std::string picture = (folder / "cat.png").string();
  const ProcessResult result = run_program({"preprocess", "--image", picture, "--image-size", "256", "--output", picture});
  EXPECT_EQ(result.exit_code, 2) << result.output;
}

}  // namespace
}  // namespace fastvlm::cli
