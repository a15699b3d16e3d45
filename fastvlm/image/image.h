// A picture in memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace fastvlm {

using Color = std::array<std::uint8_t, 3>;

// Rows from top to bottom, pixels from left to right, three bytes (red, green, blue) each, no padding.
struct Image {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> rgb;

  static Image black(int width, int height) {
    return {width, height, std::vector<std::uint8_t>(static_cast<std::size_t>(width) * height * 3)};
  }
  static Image filled(int width, int height, const Color& color) {
    Image image = black(width, height);
    if (color != Color{})
      for (std::size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = color[i % 3];
    return image;
  }
  std::size_t row_bytes() const { return static_cast<std::size_t>(width) * 3; }
  const std::uint8_t* row(int y) const { return rgb.data() + static_cast<std::size_t>(y) * row_bytes(); }
  std::uint8_t* row(int y) { return rgb.data() + static_cast<std::size_t>(y) * row_bytes(); }
};

}  // namespace fastvlm
