#include "fastvlm/image/webp_reader.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "fastvlm/base/try.h"
#include "fastvlm/image/byte_reader.h"
#include "fastvlm/image/optional_library.h"
#include "fastvlm/image/orientation.h"

namespace fastvlm {
namespace {

// The functions of libwebp that are used, as its manual declares them.
struct WebpLibrary {
  int (*get_info)(const std::uint8_t* data, std::size_t size, int* width, int* height) = nullptr;
  std::uint8_t* (*decode_rgb_into)(const std::uint8_t* data, std::size_t size, std::uint8_t* out, std::size_t out_size,
                                   int stride) = nullptr;
  bool there = false;
};

const WebpLibrary& webp() {
  static const WebpLibrary library = [] {
    WebpLibrary found;
    OptionalLibrary file("libwebp.so.7");
    file.find("WebPGetInfo", found.get_info);
    file.find("WebPDecodeRGBInto", found.decode_rgb_into);
    found.there = file.complete();
    return found;
  }();
  return library;
}

struct Place {
  std::uint64_t width = 0, height = 0, left = 0, top = 0;
};

// What the chunks of the container say.
struct Chunks {
  std::span<const std::byte> picture;  // of the first frame, from its chunk header on
  std::optional<Place> canvas, frame;
  std::span<const std::byte> exif, xmp;
};

constexpr std::size_t kChunkHeader = 8, kFrameHeader = 16;

bool is(std::span<const std::byte> chunk, std::string_view name) {
  return chunk.size() >= 4 && std::memcmp(chunk.data(), name.data(), 4) == 0;
}

// Walks over chunks from `at` on; those of a frame lie within it.
void read_chunks(const ByteReader& file, std::size_t at, std::size_t end, Chunks& chunks) {
  while (at < end) {
    const auto length = file.number(at + 4, 4);
    if (!length) return;
    const std::span<const std::byte> whole = file.part(at, kChunkHeader + *length);
    const std::span<const std::byte> body = whole.subspan(std::min(kChunkHeader, whole.size()));
    const ByteReader numbers(body);
    if (is(whole, "VP8X") && body.size() >= 10)
      chunks.canvas = Place{.width = *numbers.number(4, 3) + 1u, .height = *numbers.number(7, 3) + 1u};
    if (is(whole, "EXIF")) chunks.exif = body;
    if (is(whole, "XMP ")) chunks.xmp = body;
    if ((is(whole, "VP8 ") || is(whole, "VP8L")) && chunks.picture.empty()) chunks.picture = whole;
    if (is(whole, "ANMF") && body.size() >= kFrameHeader && chunks.picture.empty()) {
      chunks.frame = Place{.width = *numbers.number(6, 3) + 1u,
                           .height = *numbers.number(9, 3) + 1u,
                           .left = *numbers.number(0, 3) * std::uint64_t{2},
                           .top = *numbers.number(3, 3) * std::uint64_t{2}};
      const std::size_t inside = at + kChunkHeader + kFrameHeader;
      // A frame holds no further frames, so this goes one level down only.
      if (end == file.size()) read_chunks(file, inside, at + whole.size(), chunks);
    }
    at += kChunkHeader + *length + *length % 2;
  }
}

std::span<const std::byte> without_prefix(std::span<const std::byte> exif) {
  constexpr std::string_view kPrefix("Exif\0\0", 6);
  const bool there = exif.size() >= kPrefix.size() && std::memcmp(exif.data(), kPrefix.data(), kPrefix.size()) == 0;
  return there ? exif.subspan(kPrefix.size()) : exif;
}

}  // namespace

Result<StoredImage> read_webp(std::span<const std::byte> bytes, std::string_view what, const ImageDecodeOptions& options) {
  if (!webp().there) return missing_library(what, "WebP", "libwebp.so.7", "libwebp7");
  auto damaged = [&] { return bad_input("{}: the WebP cannot be decoded (it is damaged or truncated)", what); };
  Chunks chunks;
  read_chunks(ByteReader(bytes), 12, bytes.size(), chunks);
  const auto* data = reinterpret_cast<const std::uint8_t*>(chunks.picture.data());
  int width = 0, height = 0;
  if (chunks.picture.empty() || webp().get_info(data, chunks.picture.size(), &width, &height) == 0 || width <= 0 || height <= 0)
    return damaged();
  Place place{.width = static_cast<std::uint64_t>(width), .height = static_cast<std::uint64_t>(height)};
  if (chunks.frame) {
    if (!chunks.canvas || chunks.frame->width != place.width || chunks.frame->height != place.height) return damaged();
    place = {.width = chunks.canvas->width, .height = chunks.canvas->height, .left = chunks.frame->left, .top = chunks.frame->top};
    if (place.left + static_cast<std::uint64_t>(width) > place.width || place.top + static_cast<std::uint64_t>(height) > place.height)
      return damaged();
  }
  TRY(check_size(place.width, place.height, what, options));
  Image image = Image::black(static_cast<int>(place.width), static_cast<int>(place.height));
  const std::size_t begin = place.top * image.row_bytes() + place.left * 3;
  if (webp().decode_rgb_into(data, chunks.picture.size(), image.rgb.data() + begin, image.rgb.size() - begin,
                             static_cast<int>(image.row_bytes())) == nullptr)
    return damaged();
  return StoredImage{.image = std::move(image), .orientation = orientation_of(without_prefix(chunks.exif), chunks.xmp)};
}

}  // namespace fastvlm
