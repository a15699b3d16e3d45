#include "fastvlm/image/orientation.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>

namespace fastvlm {
namespace {

// Reads numbers of either byte order; nothing beyond the end.
class TiffReader {
 public:
  explicit TiffReader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  void set_big_endian(bool big_endian) { big_endian_ = big_endian; }
  std::optional<std::uint32_t> number(std::size_t offset, std::size_t length) const {
    if (offset > bytes_.size() || bytes_.size() - offset < length) return std::nullopt;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < length; ++i) {
      std::size_t at = offset + (big_endian_ ? i : length - 1 - i);
      value = value << 8 | std::to_integer<std::uint32_t>(bytes_[at]);
    }
    return value;
  }

 private:
  std::span<const std::byte> bytes_;
  bool big_endian_ = false;
};

constexpr std::uint32_t kOrientationTag = 0x0112;
constexpr std::size_t kEntryBytes = 12;

// Width in bytes of the TIFF types an orientation is written as: BYTE, SHORT, LONG; 0 for all others.
std::size_t integer_bytes(std::uint32_t type) { return type == 1 ? 1 : type == 3 ? 2 : type == 4 ? 4 : 0; }

// Where the upright pixel (x, y) is stored: start + x * step_x + y * step_y, in pixels.
struct Walk {
  std::ptrdiff_t start = 0, step_x = 1, step_y = 0;
};

Walk walk_for(int orientation, std::ptrdiff_t width, std::ptrdiff_t height) {
  const std::ptrdiff_t right = width - 1, bottom = (height - 1) * width;
  switch (orientation) {
    case 2: return {right, -1, width};
    case 3: return {bottom + right, -1, -width};
    case 4: return {bottom, 1, -width};
    case 5: return {0, width, 1};
    case 6: return {bottom, -width, 1};
    case 7: return {bottom + right, -width, -1};
    case 8: return {right, width, -1};
    default: return {0, 1, width};
  }
}

}  // namespace

int exif_orientation(std::span<const std::byte> exif) {
  if (exif.size() < 8) return 1;
  TiffReader reader(exif);
  const bool little = std::memcmp(exif.data(), "II*\0", 4) == 0;
  if (!little && std::memcmp(exif.data(), "MM\0*", 4) != 0) return 1;
  reader.set_big_endian(!little);
  const std::size_t directory = *reader.number(4, 4);
  const std::uint32_t entries = reader.number(directory, 2).value_or(0);
  int orientation = 1;
  for (std::uint32_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + i * kEntryBytes;
    const auto tag = reader.number(entry, 2);
    if (!tag) break;
    if (*tag != kOrientationTag) continue;
    const std::size_t length = integer_bytes(reader.number(entry + 2, 2).value_or(0));
    const std::uint32_t value = reader.number(entry + 8, length).value_or(0);
    if (value >= 1 && value <= 8) orientation = static_cast<int>(value);
  }
  return orientation;
}

Image turn_upright(Image image, int orientation) {
  if (orientation < 2 || orientation > 8) return image;
  const bool swaps_sides = orientation >= 5;
  Image out = swaps_sides ? Image::black(image.height, image.width) : Image::black(image.width, image.height);
  const Walk walk = walk_for(orientation, image.width, image.height);
  // Square tiles keep both sides of a transposition in the cache.
  constexpr int kTile = 32;
  for (int tile_y = 0; tile_y < out.height; tile_y += kTile)
    for (int tile_x = 0; tile_x < out.width; tile_x += kTile)
      for (int y = tile_y; y < std::min(tile_y + kTile, out.height); ++y) {
        std::uint8_t* to = out.row(y) + static_cast<std::size_t>(tile_x) * 3;
        for (int x = tile_x; x < std::min(tile_x + kTile, out.width); ++x, to += 3)
          std::memcpy(to, image.rgb.data() + (walk.start + x * walk.step_x + y * walk.step_y) * 3, 3);
      }
  return out;
}

}  // namespace fastvlm
