#include "fastvlm/image/made_up_picture.h"

#include <cstdlib>

namespace fastvlm {

Image made_up_picture(int side, int number) {
  Image image = Image::black(side, side);
  const int third = side / 3, radius = side / 5;
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x) {
      std::uint8_t* pixel = image.row(y) + 3 * x;
      const int dx = x - third, dy = y - third;
      const bool disc = dx * dx + dy * dy < radius * radius;
      const bool square = std::abs(x - 2 * third) < radius / 2 && std::abs(y - 2 * third) < radius / 2;
      for (int channel = 0; channel < 3; ++channel) {
        const int ramp = (x * (channel + 1) + y * (3 - channel)) * 60 / side;
        pixel[channel] = static_cast<std::uint8_t>(disc                              ? (channel == number % 3 ? 230 : 20)
                                                   : square && channel != number % 3 ? 210
                                                                                     : 40 + ramp % 180);
      }
    }
  return image;
}

}  // namespace fastvlm
