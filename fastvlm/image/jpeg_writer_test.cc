#include "fastvlm/image/jpeg_writer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "fastvlm/image/decode.h"

namespace fastvlm {
namespace {

TEST(JpegWriter, WhatItWritesIsReadAsAlmostTheSame) {
  Image image = Image::filled(33, 17, {200, 60, 30});
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x) image.row(y)[3 * x + 2] = static_cast<std::uint8_t>(x * 4 + y);
  const auto bytes = encode_jpeg(image, 95);
  ASSERT_TRUE(bytes.ok()) << bytes.error().message;
  const auto read = decode_image(as_bytes(*bytes), "written");
  ASSERT_TRUE(read.ok()) << read.error().message;
  ASSERT_EQ(read->width, 33);
  ASSERT_EQ(read->height, 17);
  double difference = 0;
  for (std::size_t i = 0; i < image.rgb.size(); ++i) difference += std::abs(image.rgb[i] - read->rgb[i]);
  EXPECT_LT(difference / static_cast<double>(image.rgb.size()), 4);
  EXPECT_EQ(*bytes, *encode_jpeg(image, 95));
  EXPECT_LT(encode_jpeg(image, 30)->size(), bytes->size());
}

}  // namespace
}  // namespace fastvlm
