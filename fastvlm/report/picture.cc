#include "fastvlm/report/picture.h"

#include <algorithm>
#include <cstdint>

#include "fastvlm/base/try.h"
#include "fastvlm/image/decode.h"
#include "fastvlm/image/jpeg_writer.h"
#include "fastvlm/image/resize.h"
#include "fastvlm/report/html.h"

namespace fastvlm::report {

std::string base64(const std::string& bytes) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t there = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k) bits = bits << 8 | (k < there ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k) text += k <= there ? kLetters[bits >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

Result<std::string> embedded_picture(const Path& file, int side, const std::string& words) {
  TRY_ASSIGN(Image image, load_image(file));
  const int longest = std::max(image.width, image.height);
  if (longest > side) {
    const auto scaled = [&](int length) { return std::max(1, static_cast<int>(static_cast<std::int64_t>(length) * side / longest)); };
    image = resize(image, scaled(image.width), scaled(image.height));
  }
  TRY_ASSIGN(const std::string bytes, encode_jpeg(image));
  return fmt::format("<img src=\"data:image/jpeg;base64,{}\" width=\"{}\" height=\"{}\" alt=\"{}\"/>", base64(bytes), image.width,
                     image.height, escaped(words));
}

}  // namespace fastvlm::report
