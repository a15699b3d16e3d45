#include "fastvlm/image/resize.h"

#include <gtest/gtest.h>

#include <random>

#include "fastvlm/image/resize_kernels.h"

namespace fastvlm {
namespace {

Image random_picture(int width, int height) {
  Image image = Image::black(width, height);
  std::mt19937 random(static_cast<unsigned>(width * 1000 + height));
  // Mostly black and white, so that sums leave the range of a byte.
  for (auto& byte : image.rgb) byte = static_cast<std::uint8_t>(random() % 3 == 0 ? random() : random() % 2 * 255);
  return image;
}

Image on_canvas(const Image& image, int width, int height, int left, int top) {
  Image out = Image::black(width, height);
  for (int y = 0; y < image.height; ++y) std::copy(image.row(y), image.row(y) + image.row_bytes(), out.row(top + y) + left * 3);
  return out;
}

Image cut_out(const Image& image, int left, int top, int width, int height) {
  Image out = Image::black(width, height);
  for (int y = 0; y < height; ++y) std::copy(image.row(top + y) + left * 3, image.row(top + y) + (left + width) * 3, out.row(y));
  return out;
}

TEST(Resize, ToTheSameSizeChangesNothing) {
  const Image image = random_picture(37, 23);
  EXPECT_EQ(resize(image, 37, 23).rgb, image.rgb);
}

TEST(Resize, WithACanvasEqualsTheCanvasDrawnOut) {
  for (auto [width, height] : {std::pair{37, 23}, {5, 90}, {1, 1}, {100, 3}}) {
    const Image image = random_picture(width, height);
    const Image canvas = on_canvas(image, 120, 110, 7, 11);
    for (int size : {16, 64, 200}) {
      const Image direct = resize(image, {.canvas = 120, .offset = 7, .resized = size, .count = size},
                                  {.canvas = 110, .offset = 11, .resized = size, .count = size});
      EXPECT_EQ(direct.rgb, resize(canvas, size, size).rgb) << width << " x " << height << " to " << size;
    }
  }
}

TEST(Resize, OfAWindowEqualsTheWindowCutOut) {
  const Image image = random_picture(83, 29);
  for (auto [width, height] : {std::pair{200, 70}, {40, 20}}) {
    const Image whole = resize(image, width, height);
    const Image window = resize(image, {.canvas = 83, .resized = width, .first = 9, .count = 17},
                                {.canvas = 29, .resized = height, .first = 3, .count = 11});
    EXPECT_EQ(window.rgb, cut_out(whole, 9, 3, 17, 11).rgb);
  }
}

TEST(Resize, KernelsOfThisProcessorEqualThePlainOnes) {
  const Image image = random_picture(301, kRowsAtOnce + 3);
  for (int width : {1, 7, 64, 150, 600}) {
    const AxisWeights across = axis_weights({.canvas = 301, .resized = width, .count = width}, 301, ResizeFilter::kBicubic);
    std::vector<std::uint8_t> plain(kRowsAtOnce * (width * 3 + kRowSlack)), best = plain;
    const std::uint8_t* from[kRowsAtOnce];
    std::uint8_t *plain_to[kRowsAtOnce], *best_to[kRowsAtOnce];
    for (int row = 0; row < kRowsAtOnce; ++row) {
      from[row] = image.row(row);
      plain_to[row] = plain.data() + row * (width * 3 + kRowSlack);
      best_to[row] = best.data() + row * (width * 3 + kRowSlack);
    }
    kPlainKernels.resize_rows(across, from, plain_to);
    best_kernels().resize_rows(across, from, best_to);
    for (int row = 0; row < kRowsAtOnce; ++row)
      EXPECT_TRUE(std::equal(plain_to[row], plain_to[row] + width * 3, best_to[row])) << "width " << width;

    const WeightedRows rows = {.from = image.rgb.data(), .stride = image.row_bytes(), .weights = across.weights.data(), .count = 4};
    std::vector<std::uint8_t> plain_sum(width), best_sum(width);
    kPlainKernels.sum_rows(rows, plain_sum.data(), plain_sum.size());
    best_kernels().sum_rows(rows, best_sum.data(), best_sum.size());
    EXPECT_EQ(plain_sum, best_sum) << "width " << width;
  }
}

TEST(Resize, OfALargePictureDoesNotDependOnThePieces) {
  // Enough pixels for several threads; every column equals that of one narrow picture.
  const Image narrow = random_picture(1, 700);
  Image wide = Image::black(900, 700);
  for (int y = 0; y < 700; ++y)
    for (int x = 0; x < 900; ++x) std::copy(narrow.row(y), narrow.row(y) + 3, wide.row(y) + x * 3);
  const Image expected = resize(narrow, 1, 128);
  const Image actual = resize(wide, 128, 128);
  for (int y = 0; y < 128; ++y)
    for (int i = 0; i < 128 * 3; ++i) ASSERT_EQ(actual.row(y)[i], expected.row(y)[i % 3]);
}

}  // namespace
}  // namespace fastvlm
