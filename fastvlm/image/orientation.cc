#include "fastvlm/image/orientation.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "fastvlm/image/byte_reader.h"

namespace fastvlm {
namespace {

constexpr std::uint32_t kOrientationTag = 0x0112;
constexpr std::size_t kEntryBytes = 12;

// Width in bytes of the TIFF types an orientation is written as: BYTE, SHORT, LONG; 0 for all others.
std::size_t integer_bytes(std::uint32_t type) { return type == 1 ? 1 : type == 3 ? 2 : type == 4 ? 4 : 0; }

// Nothing when there is no such entry; 1 when its value means nothing.
std::optional<int> exif_orientation(std::span<const std::byte> exif) {
  if (exif.size() < 8) return std::nullopt;
  const bool little = std::memcmp(exif.data(), "II*\0", 4) == 0;
  if (!little && std::memcmp(exif.data(), "MM\0*", 4) != 0) return std::nullopt;
  const ByteReader reader(exif, !little);
  const std::size_t directory = *reader.number(4, 4);
  const std::uint32_t entries = reader.number(directory, 2).value_or(0);
  std::optional<int> orientation;
  for (std::uint32_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + i * kEntryBytes;
    const auto tag = reader.number(entry, 2);
    if (!tag) break;
    if (*tag != kOrientationTag) continue;
    const std::size_t length = integer_bytes(reader.number(entry + 2, 2).value_or(0));
    const std::uint32_t value = reader.number(entry + 8, length).value_or(0);
    orientation = value >= 1 && value <= 8 ? static_cast<int>(value) : orientation.value_or(1);
  }
  return orientation;
}

// The digit behind tiff:Orientation=" or <tiff:Orientation>. XMP is XML, but Pillow looks for no more than that either.
std::optional<int> xmp_orientation(std::span<const std::byte> xmp) {
  const std::string_view text(reinterpret_cast<const char*>(xmp.data()), xmp.size());
  constexpr std::string_view kName = "tiff:Orientation";
  for (std::size_t at = text.find(kName); at != text.npos; at = text.find(kName, at + 1)) {
    std::string_view rest = text.substr(at + kName.size());
    if (rest.starts_with("=\""))
      rest.remove_prefix(2);
    else if (rest.starts_with(">"))
      rest.remove_prefix(1);
    else
      continue;
    if (!rest.empty() && rest[0] >= '0' && rest[0] <= '9') return rest[0] >= '1' && rest[0] <= '8' ? rest[0] - '0' : 1;
  }
  return std::nullopt;
}

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

int orientation_of(std::span<const std::byte> exif, std::span<const std::byte> xmp) {
  const std::optional<int> stated = exif_orientation(exif);
  return stated ? *stated : xmp_orientation(xmp).value_or(1);
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
