#include <gtest/gtest.h>

#include "fastvlm/base/hash.h"
#include "fastvlm/base/json.h"
#include "fastvlm/image/preprocess.h"

namespace fastvlm {
namespace {

const Path kFolder = Path(FASTVLM_TEST_DATA) / "images";

template <class T>
std::string hash_of(const std::vector<T>& values) {
  return sha256_of({reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)});
}

template <class Number>
void take_three(const Json& row, const char* key, std::array<Number, 3>& out) {
  if (row.contains(key)) out = row[key].get<std::array<Number, 3>>();
}

PreprocessSettings settings_of(const Json& row) {
  PreprocessSettings settings;
  settings.size = row.value("size", 64);
  settings.mode = image_mode_of(row.value("mode", "crop")).value();
  settings.filter = resize_filter_of(row.value("resample", "bicubic")).value();
  settings.resize_to = row.value("resize_to", 0);
  settings.resize = row.value("resize", true);
  settings.rescale_factor = row.value("rescale_factor", settings.rescale_factor);
  take_three(row, "pad_color", settings.pad_color);
  take_three(row, "mean", settings.mean);
  take_three(row, "std", settings.std);
  return settings;
}

Image picture(const Json& file) { return load_image(kFolder / file.get<std::string>(), {.ignore_exif = true}).value(); }

TEST(Resampling, EveryFilterAndShapeGivesTheBytesOfPillow) {
  const Json cases = read_json_file(kFolder / "resampling_cases.json").value();
  ASSERT_EQ(cases["pixels"].size(), 324u);
  for (const Json& row : cases["pixels"])
    EXPECT_EQ(hash_of(preprocess(picture(row["file"]), settings_of(row)).value().rgb), row["sha256"].get<std::string>()) << row;
}

TEST(Resampling, RescaledAndNormalisedValuesAreThoseOfNumPyBitForBit) {
  const Json cases = read_json_file(kFolder / "resampling_cases.json").value();
  ASSERT_EQ(cases["values"].size(), 5u);
  for (const Json& row : cases["values"]) {
    const PreprocessSettings settings = settings_of(row);
    const Image square = preprocess(picture(cases["file"]), settings).value();
    std::vector<float> values(square.rgb.size());
    to_pixel_values(square, settings, values);
    EXPECT_EQ(hash_of(values), row["sha256"].get<std::string>()) << row;
  }
}

TEST(Resampling, KnowsTheFiltersByNameAndByPillowsNumber) {
  for (int number = 0; number < 6; ++number) {
    const auto filter = resize_filter_of(number);
    ASSERT_TRUE(filter);
    EXPECT_EQ(resize_filter_of(name(*filter)).value(), *filter);
  }
  EXPECT_FALSE(resize_filter_of(6));
  EXPECT_EQ(resize_filter_of("cubic").error().message,
            "\"cubic\" is not a resize filter; there are nearest, lanczos, bilinear, bicubic, box, hamming");
}

}  // namespace
}  // namespace fastvlm
