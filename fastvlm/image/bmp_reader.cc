#include "fastvlm/image/bmp_reader.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>

#include "fastvlm/base/try.h"
#include "fastvlm/image/byte_reader.h"

namespace fastvlm {
namespace {

constexpr std::size_t kFileHeader = 14;
constexpr std::uint32_t kOldHeader = 12;  // of OS/2: 16-bit sides, palettes of three bytes
enum Compression : std::uint32_t { kNone = 0, kRle8 = 1, kRle4 = 2, kMasks = 3 };

using Palette = std::array<Color, 256>;

struct Header {
  std::uint32_t size = 0, pixels_at = 0, bits = 0, compression = kNone, colors = 0;
  std::int64_t width = 0, height = 0;
  bool top_down = false;
  std::array<std::uint32_t, 3> masks{};  // red, green, blue
};

std::optional<Header> read_header(const ByteReader& file) {
  const auto pixels_at = file.number(10, 4), size = file.number(kFileHeader, 4);
  if (!size || (*size != kOldHeader && *size < 40)) return std::nullopt;
  const bool old = *size == kOldHeader;
  Header header{.size = *size, .pixels_at = *pixels_at};
  const auto width = file.number(18, old ? 2 : 4), height = file.number(old ? 20 : 22, old ? 2 : 4), bits = file.number(old ? 24 : 28, 2);
  if (!width || !height || !bits) return std::nullopt;
  header.width = old ? static_cast<std::int64_t>(*width) : static_cast<std::int32_t>(*width);
  header.height = old ? static_cast<std::int64_t>(*height) : static_cast<std::int32_t>(*height);
  header.top_down = header.height < 0;
  header.height = std::abs(header.height);
  header.bits = *bits;
  if (header.bits == 16) header.masks = {0x7c00, 0x3e0, 0x1f};
  if (header.bits == 32) header.masks = {0xff0000, 0xff00, 0xff};
  if (old) return header;
  const auto compression = file.number(30, 4), colors = file.number(46, 4);
  if (!compression || !colors) return std::nullopt;
  header.compression = *compression;
  header.colors = *colors;
  if (header.compression != kMasks) return header;
  for (std::size_t i = 0; i < 3; ++i) {
    const auto mask = file.number(kFileHeader + 40 + 4 * i, 4);
    if (!mask) return std::nullopt;
    header.masks[i] = *mask;
  }
  return header;
}

// Entries that a file lacks are grey, as in Pillow.
Palette read_palette(const ByteReader& file, const Header& header) {
  Palette palette;
  for (std::size_t i = 0; i < palette.size(); ++i) palette[i].fill(static_cast<std::uint8_t>(i));
  const std::size_t entry = header.size == kOldHeader ? 3 : 4, most = std::size_t{1} << header.bits;
  const std::size_t count = header.colors == 0 || header.colors > most ? most : header.colors;
  for (std::size_t i = 0; i < count; ++i) {
    const auto color = file.number(kFileHeader + header.size + i * entry, 3);
    if (!color || kFileHeader + header.size + (i + 1) * entry > header.pixels_at) break;
    palette[i] = {static_cast<std::uint8_t>(*color >> 16), static_cast<std::uint8_t>(*color >> 8), static_cast<std::uint8_t>(*color)};
  }
  return palette;
}

// The bits of a mask that is one run, and where they begin.
struct Field {
  int shift = 0;
  std::uint32_t most = 0;
};
std::optional<Field> field_of(std::uint32_t mask) {
  if (mask == 0) return std::nullopt;
  Field field{.shift = std::countr_zero(mask)};
  field.most = mask >> field.shift;
  if ((field.most & (field.most + 1)) != 0 || field.most > 255) return std::nullopt;
  return field;
}

using Fields = std::array<Field, 3>;

void read_row(std::span<const std::byte> row, const Header& header, const Palette& palette, const Fields& fields, std::uint8_t* out) {
  const auto byte_at = [&](std::size_t i) { return std::to_integer<std::uint32_t>(row[i]); };
  for (std::size_t x = 0; x < static_cast<std::size_t>(header.width); ++x, out += 3) {
    if (header.bits == 24) {
      for (std::size_t c = 0; c < 3; ++c) out[c] = static_cast<std::uint8_t>(byte_at(x * 3 + 2 - c));
    } else if (header.bits <= 8) {
      const std::size_t bit = x * header.bits;
      const std::uint32_t index = byte_at(bit / 8) >> (8 - header.bits - bit % 8) & ((1u << header.bits) - 1);
      std::copy(palette[index].begin(), palette[index].end(), out);
    } else {
      std::uint32_t pixel = 0;
      for (std::size_t i = header.bits / 8; i-- > 0;) pixel = pixel << 8 | byte_at(x * (header.bits / 8) + i);
      for (std::size_t c = 0; c < 3; ++c)
        out[c] = static_cast<std::uint8_t>((pixel >> fields[c].shift & fields[c].most) * 255 / fields[c].most);
    }
  }
}

}  // namespace

Result<StoredImage> read_bmp(std::span<const std::byte> bytes, std::string_view what, const ImageDecodeOptions& options) {
  const ByteReader file(bytes);
  const auto header = read_header(file);
  if (!header || header->width < 0) return bad_input("{}: the BMP cannot be decoded (its header is damaged)", what);
  TRY(check_size(static_cast<std::uint64_t>(header->width), static_cast<std::uint64_t>(header->height), what, options));
  const auto bits = header->bits;
  if (header->compression != kNone && header->compression != kMasks)
    return bad_input("{}: a BMP with run-length or other compression ({}) is not supported; convert it to PNG", what, header->compression);
  if (bits != 1 && bits != 4 && bits != 8 && bits != 16 && bits != 24 && bits != 32)
    return bad_input("{}: a BMP with {} bits for a pixel is not supported; convert it to PNG", what, bits);
  Fields fields{};
  for (std::size_t c = 0; c < 3 && (bits == 16 || bits == 32); ++c) {
    const auto field = field_of(header->masks[c]);
    if (!field) return bad_input("{}: a BMP with the colour mask {:#x} is not supported; convert it to PNG", what, header->masks[c]);
    fields[c] = *field;
  }
  const std::size_t stride = (static_cast<std::size_t>(header->width) * bits + 31) / 32 * 4;
  const std::size_t height = static_cast<std::size_t>(header->height);
  const Palette palette = bits <= 8 ? read_palette(file, *header) : Palette{};
  // The last row may lack the bytes that fill it up.
  const std::size_t row_bytes = (static_cast<std::size_t>(header->width) * bits + 7) / 8;
  if (file.part(header->pixels_at, stride * height).size() < stride * (height - 1) + row_bytes)
    return bad_input("{}: the BMP cannot be decoded (the file is truncated)", what);
  Image image = Image::black(static_cast<int>(header->width), static_cast<int>(height));
  for (std::size_t y = 0; y < height; ++y)
    read_row(file.part(header->pixels_at + y * stride, row_bytes), *header, palette, fields,
             image.row(static_cast<int>(header->top_down ? y : height - 1 - y)));
  return StoredImage{.image = std::move(image)};
}

}  // namespace fastvlm
