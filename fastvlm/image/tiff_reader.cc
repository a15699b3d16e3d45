#include "fastvlm/image/tiff_reader.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "fastvlm/base/try.h"
#include "fastvlm/image/optional_library.h"
#include "fastvlm/image/orientation.h"

namespace fastvlm {
namespace {

// The functions of libtiff 4 that are used, as its manual declares them. `Tiff` is opaque.
struct Tiff;
using Handle = void*;
struct TiffLibrary {
  using Reads = std::ptrdiff_t (*)(Handle, void*, std::ptrdiff_t);
  using Seeks = std::uint64_t (*)(Handle, std::uint64_t, int);
  using Closes = int (*)(Handle);
  using Sizes = std::uint64_t (*)(Handle);
  using Maps = int (*)(Handle, void**, std::uint64_t*);
  using Unmaps = void (*)(Handle, void*, std::uint64_t);
  using Reports = void (*)(const char*, const char*, void*);

  Tiff* (*open)(const char*, const char*, Handle, Reads, Reads, Seeks, Closes, Sizes, Maps, Unmaps) = nullptr;
  void (*close)(Tiff*) = nullptr;
  int (*get_field)(Tiff*, std::uint32_t, ...) = nullptr;
  int (*get_field_defaulted)(Tiff*, std::uint32_t, ...) = nullptr;
  int (*set_field)(Tiff*, std::uint32_t, ...) = nullptr;
  int (*is_tiled)(Tiff*) = nullptr;
  std::int64_t (*scanline_size)(Tiff*) = nullptr;
  int (*read_scanline)(Tiff*, void*, std::uint32_t, std::uint16_t) = nullptr;
  std::int64_t (*tile_size)(Tiff*) = nullptr;
  std::int64_t (*tile_row_size)(Tiff*) = nullptr;
  std::int64_t (*read_tile)(Tiff*, void*, std::uint32_t, std::uint32_t, std::uint32_t, std::uint16_t) = nullptr;
  Reports (*set_error_handler)(Reports) = nullptr;
  Reports (*set_warning_handler)(Reports) = nullptr;
  bool there = false;
};

const TiffLibrary& tiff() {
  static const TiffLibrary library = [] {
    TiffLibrary found;
    OptionalLibrary file("libtiff.so.6");
    file.find("TIFFClientOpen", found.open);
    file.find("TIFFClose", found.close);
    file.find("TIFFGetField", found.get_field);
    file.find("TIFFGetFieldDefaulted", found.get_field_defaulted);
    file.find("TIFFSetField", found.set_field);
    file.find("TIFFIsTiled", found.is_tiled);
    file.find("TIFFScanlineSize64", found.scanline_size);
    file.find("TIFFReadScanline", found.read_scanline);
    file.find("TIFFTileSize64", found.tile_size);
    file.find("TIFFTileRowSize64", found.tile_row_size);
    file.find("TIFFReadTile", found.read_tile);
    file.find("TIFFSetErrorHandler", found.set_error_handler);
    file.find("TIFFSetWarningHandler", found.set_warning_handler);
    found.there = file.complete();
    // It prints to standard error otherwise.
    if (found.there) found.set_error_handler(nullptr), found.set_warning_handler(nullptr);
    return found;
  }();
  return library;
}

enum Tag : std::uint32_t {
  kImageWidth = 256,
  kImageLength = 257,
  kBitsPerSample = 258,
  kCompression = 259,
  kPhotometric = 262,
  kOrientation = 274,
  kSamplesPerPixel = 277,
  kPlanarConfig = 284,
  kColorMap = 320,
  kTileWidth = 322,
  kTileLength = 323,
  kExtraSamples = 338,
  kSampleFormat = 339,
  kXmlPacket = 700,
  kJpegColorMode = 65538,
};
enum Photometric : std::uint16_t { kMinIsWhite = 0, kMinIsBlack = 1, kRgb = 2, kPalette = 3, kYCbCr = 6 };
constexpr std::uint16_t kJpegCompression = 7, kPremultiplied = 1, kSeparatePlanes = 2, kUnsigned = 1;

// A file in memory, as libtiff's callbacks see it.
struct Memory {
  std::span<const std::byte> bytes;
  std::uint64_t at = 0;
};

std::ptrdiff_t on_read(Handle handle, void* out, std::ptrdiff_t wanted) {
  auto& memory = *static_cast<Memory*>(handle);
  if (wanted <= 0 || memory.at >= memory.bytes.size()) return 0;
  const std::size_t length = std::min(static_cast<std::size_t>(wanted), memory.bytes.size() - static_cast<std::size_t>(memory.at));
  std::memcpy(out, memory.bytes.data() + memory.at, length);
  memory.at += length;
  return static_cast<std::ptrdiff_t>(length);
}
std::ptrdiff_t on_write(Handle, void*, std::ptrdiff_t) { return 0; }
std::uint64_t on_seek(Handle handle, std::uint64_t offset, int whence) {
  auto& memory = *static_cast<Memory*>(handle);
  const std::uint64_t base = whence == SEEK_CUR ? memory.at : whence == SEEK_END ? memory.bytes.size() : 0;
  return memory.at = base + offset;
}
int on_close(Handle) { return 0; }
std::uint64_t on_size(Handle handle) { return static_cast<Memory*>(handle)->bytes.size(); }
int on_map(Handle, void**, std::uint64_t*) { return 0; }
void on_unmap(Handle, void*, std::uint64_t) {}

using Opened = std::unique_ptr<Tiff, void (*)(Tiff*)>;

template <class T>
T field(Tiff* file, Tag tag, T fallback) {
  T value = fallback;
  return tiff().get_field_defaulted(file, tag, &value) != 0 ? value : fallback;
}

struct Kind {
  std::uint32_t width = 0, height = 0;
  std::uint16_t bits = 1, samples = 1, photometric = kMinIsBlack;
  const std::uint16_t* palette[3] = {};
};

Result<Kind> read_kind(Tiff* file, std::string_view what, const ImageDecodeOptions& options) {
  Kind kind{.width = field<std::uint32_t>(file, kImageWidth, 0), .height = field<std::uint32_t>(file, kImageLength, 0)};
  TRY(check_size(kind.width, kind.height, what, options));
  kind.bits = field<std::uint16_t>(file, kBitsPerSample, 1);
  kind.samples = field<std::uint16_t>(file, kSamplesPerPixel, 1);
  kind.photometric = field<std::uint16_t>(file, kPhotometric, kMinIsBlack);
  const bool jpeg = field<std::uint16_t>(file, kCompression, 1) == kJpegCompression;
  if (kind.photometric == kYCbCr && jpeg) {
    tiff().set_field(file, kJpegColorMode, 1);
    kind.photometric = kRgb;
  }
  std::uint16_t extra_count = 0;
  const std::uint16_t* extra = nullptr;
  const bool has_extra = tiff().get_field(file, kExtraSamples, &extra_count, &extra) != 0;
  const bool premultiplied = has_extra && extra_count > 0 && extra[0] == kPremultiplied;
  const bool color = kind.photometric == kRgb,
             one = kind.photometric == kMinIsWhite || kind.photometric == kMinIsBlack || kind.photometric == kPalette;
  const bool good_bits = kind.bits == 8 || ((kind.bits == 1 || kind.bits == 2 || kind.bits == 4) && kind.samples == 1);
  const bool good_samples = color ? kind.samples == 3 || kind.samples == 4 : kind.samples == 1 || kind.samples == 2;
  if ((!color && !one) || !good_bits || !good_samples || premultiplied ||
      field<std::uint16_t>(file, kSampleFormat, kUnsigned) != kUnsigned ||
      (kind.samples > 1 && field<std::uint16_t>(file, kPlanarConfig, 1) == kSeparatePlanes))
    return bad_input(
        "{}: a TIFF of this kind (photometric {}, {} samples of {} bits{}) is not supported; convert it to 8 bit RGB or to PNG", what,
        kind.photometric, kind.samples, kind.bits, premultiplied ? ", premultiplied alpha" : "");
  if (kind.photometric == kPalette && tiff().get_field(file, kColorMap, &kind.palette[0], &kind.palette[1], &kind.palette[2]) == 0)
    return bad_input("{}: the TIFF cannot be decoded (it has no palette)", what);
  return kind;
}

// `count` pixels of one row of a strip or tile.
void to_rgb(const Kind& kind, const std::uint8_t* from, std::uint32_t count, std::uint8_t* out) {
  const std::uint32_t most = (1u << kind.bits) - 1;
  for (std::uint32_t x = 0; x < count; ++x, out += 3) {
    if (kind.photometric == kRgb) {
      std::memcpy(out, from + static_cast<std::size_t>(x) * kind.samples, 3);
      continue;
    }
    const std::size_t bit = static_cast<std::size_t>(x) * kind.samples * kind.bits;
    const std::uint32_t value = from[bit / 8] >> (8 - kind.bits - bit % 8) & most;
    if (kind.photometric == kPalette) {
      for (int c = 0; c < 3; ++c) out[c] = static_cast<std::uint8_t>(kind.palette[c][value] >> 8);
    } else {
      const std::uint32_t grey = value * 255 / most;
      std::memset(out, static_cast<int>(kind.photometric == kMinIsWhite ? 255 - grey : grey), 3);
    }
  }
}

constexpr std::int64_t kMaxPieceBytes = std::int64_t{1} << 30;

bool read_strips(Tiff* file, const Kind& kind, Image& image) {
  const std::int64_t bytes = tiff().scanline_size(file);
  if (bytes < (std::int64_t{kind.width} * kind.samples * kind.bits + 7) / 8 || bytes > kMaxPieceBytes) return false;
  std::vector<std::uint8_t> row(static_cast<std::size_t>(bytes));
  for (std::uint32_t y = 0; y < kind.height; ++y) {
    if (tiff().read_scanline(file, row.data(), y, 0) < 0) return false;
    to_rgb(kind, row.data(), kind.width, image.row(static_cast<int>(y)));
  }
  return true;
}

bool read_tiles(Tiff* file, const Kind& kind, Image& image) {
  const auto width = field<std::uint32_t>(file, kTileWidth, 0), height = field<std::uint32_t>(file, kTileLength, 0);
  const std::int64_t bytes = tiff().tile_size(file), row_bytes = tiff().tile_row_size(file);
  if (width == 0 || height == 0 || bytes <= 0 || bytes > kMaxPieceBytes || bytes < row_bytes * height ||
      row_bytes < (std::int64_t{width} * kind.samples * kind.bits + 7) / 8)
    return false;
  std::vector<std::uint8_t> tile(static_cast<std::size_t>(bytes));
  for (std::uint32_t top = 0; top < kind.height; top += height)
    for (std::uint32_t left = 0; left < kind.width; left += width) {
      if (tiff().read_tile(file, tile.data(), left, top, 0, 0) < 0) return false;
      for (std::uint32_t y = 0; y < std::min(height, kind.height - top); ++y)
        to_rgb(kind, tile.data() + y * row_bytes, std::min(width, kind.width - left),
               image.row(static_cast<int>(top + y)) + static_cast<std::size_t>(left) * 3);
    }
  return true;
}

int stored_orientation(Tiff* file) {
  std::uint16_t tag = 0;
  if (tiff().get_field(file, kOrientation, &tag) != 0) return tag >= 1 && tag <= 8 ? tag : 1;
  std::uint32_t length = 0;
  const void* xmp = nullptr;
  if (tiff().get_field(file, kXmlPacket, &length, &xmp) == 0 || xmp == nullptr) return 1;
  return orientation_of({}, {static_cast<const std::byte*>(xmp), length});
}

}  // namespace

Result<StoredImage> read_tiff(std::span<const std::byte> bytes, std::string_view what, const ImageDecodeOptions& options) {
  if (!tiff().there) return missing_library(what, "TIFF", "libtiff.so.6", "libtiff6");
  Memory memory{.bytes = bytes};
  auto damaged = [&] { return bad_input("{}: the TIFF cannot be decoded (it is damaged or truncated)", what); };
  // "m" forbids memory maps.
  const Opened file(tiff().open("picture", "rm", &memory, on_read, on_write, on_seek, on_close, on_size, on_map, on_unmap), tiff().close);
  if (file == nullptr) return damaged();
  TRY_ASSIGN(const Kind kind, read_kind(file.get(), what, options));
  Image image = Image::black(static_cast<int>(kind.width), static_cast<int>(kind.height));
  if (!(tiff().is_tiled(file.get()) != 0 ? read_tiles(file.get(), kind, image) : read_strips(file.get(), kind, image))) return damaged();
  return StoredImage{.image = std::move(image), .orientation = stored_orientation(file.get())};
}

}  // namespace fastvlm
