#include "fastvlm/image/decode.h"

#include <algorithm>
#include <string>

#include "fastvlm/base/file_content.h"
#include "fastvlm/base/try.h"
#include "fastvlm/image/bmp_reader.h"
#include "fastvlm/image/decode_strips.h"
#include "fastvlm/image/gif_reader.h"
#include "fastvlm/image/heif_reader.h"
#include "fastvlm/image/jpeg_reader.h"
#include "fastvlm/image/orientation.h"
#include "fastvlm/image/png_reader.h"
#include "fastvlm/image/tiff_reader.h"
#include "fastvlm/image/webp_reader.h"

namespace fastvlm {
namespace {

// A file may hold as much for each pixel that is read; even noise takes less than three bytes.
std::uint64_t largest_file(const ImageDecodeOptions& options) {
  constexpr std::uint64_t kBytesPerPixel = 4;
  return std::min(options.max_pixels, std::uint64_t{kMaxImageSide} * kMaxImageSide) * kBytesPerPixel;
}

using Reader = Result<StoredImage>(std::span<const std::byte> bytes, std::string_view what, const ImageDecodeOptions& options);
using StripReader = Result<StoredImage>(std::span<const std::byte> bytes, std::string_view what, const ImageDecodeOptions& options,
                                        const StripTaker* taker);

// How a format is known: `magic` at byte `offset`.
struct Signature {
  std::string_view name;
  std::size_t offset = 0;
  std::string_view magic;
  Reader* read = nullptr;  // neither of the two: not supported
  StripReader* read_strips = nullptr;
};

using namespace std::string_view_literals;
constexpr Signature kSignatures[] = {
    {.name = "JPEG", .magic = "\xff\xd8\xff"sv, .read_strips = read_jpeg},
    {.name = "PNG", .magic = "\x89PNG\r\n\x1a\n"sv, .read_strips = read_png},
    {.name = "WebP", .offset = 8, .magic = "WEBP"sv, .read = read_webp},
    {.name = "GIF", .magic = "GIF87a"sv, .read = read_gif},
    {.name = "GIF", .magic = "GIF89a"sv, .read = read_gif},
    {.name = "HEIC", .offset = 4, .magic = "ftyphei"sv, .read = read_heif},
    {.name = "HEIC", .offset = 4, .magic = "ftyphevc"sv, .read = read_heif},
    {.name = "HEIF", .offset = 4, .magic = "ftypmif1"sv, .read = read_heif},
    {.name = "HEIF", .offset = 4, .magic = "ftypmsf1"sv, .read = read_heif},
    {.name = "AVIF", .offset = 4, .magic = "ftypavi"sv, .read = read_heif},
    {.name = "TIFF", .magic = "II*\0"sv, .read = read_tiff},
    {.name = "TIFF", .magic = "MM\0*"sv, .read = read_tiff},
    {.name = "BMP", .magic = "BM"sv, .read = read_bmp},
    {.name = "JPEG XL", .magic = "\xff\x0a"sv},
    {.name = "JPEG XL", .magic = "\0\0\0\x0cJXL "sv},
    {.name = "JPEG 2000", .magic = "\0\0\0\x0cjP  "sv},
    {.name = "PDF", .magic = "%PDF"sv},
    {.name = "Photoshop", .magic = "8BPS"sv},
    {.name = "SVG", .magic = "<svg"sv},
    {.name = "icon (ICO)", .magic = "\0\0\1\0"sv},
};

const Signature* find_signature(std::string_view bytes) {
  for (const Signature& signature : kSignatures)
    if (bytes.size() >= signature.offset && bytes.substr(signature.offset).starts_with(signature.magic)) return &signature;
  return nullptr;
}

Result<const Signature*> format_of(std::span<const std::byte> bytes, std::string_view what) {
  if (bytes.empty()) return bad_input("{}: the file is empty; a picture was expected", what);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size()), head = text.substr(0, kContentHead);
  const Signature* signature = find_signature(text);
  // Behind the XML declaration of an SVG there may be a comment, too.
  if (signature == nullptr && head.starts_with("<?xml") && head.find("<svg") != std::string_view::npos) signature = find_signature("<svg");
  if (signature == nullptr) {
    if (const auto known = known_content(head, text.size())) return bad_input("{}: no picture but {}", what, *known);
    return bad_input("{}: this is no picture of a known format; convert it to JPEG or PNG", what);
  }
  if (signature->read == nullptr && signature->read_strips == nullptr)
    return bad_input("{}: the format {} is not supported; convert the picture to JPEG or PNG", what, signature->name);
  return signature;
}

int orientation_for(const ImageDecodeOptions& options, int stated) { return options.ignore_exif ? 1 : stated; }

Result<StoredImage> read_whole(const Signature& signature, std::span<const std::byte> bytes, std::string_view what,
                               const ImageDecodeOptions& options) {
  if (signature.read_strips != nullptr) return signature.read_strips(bytes, what, options, nullptr);
  return signature.read(bytes, what, options);
}

}  // namespace

Result<Image> decode_image(std::span<const std::byte> bytes, std::string_view what, const ImageDecodeOptions& options) {
  TRY_ASSIGN(const Signature* signature, format_of(bytes, what));
  TRY_ASSIGN(StoredImage stored, read_whole(*signature, bytes, what, options));
  return turn_upright(std::move(stored.image), orientation_for(options, stored.orientation));
}

Status decode_strips(std::span<const std::byte> bytes, std::string_view what, const ImageDecodeOptions& options, const StripTaker& taker) {
  TRY_ASSIGN(const Signature* signature, format_of(bytes, what));
  if (signature->read_strips != nullptr) {
    int begun = 1;
    const StripTaker noting = {.begin =
                                   [&](int width, int height, int orientation) {
                                     begun = orientation_for(options, orientation);
                                     taker.begin(width, height, begun);
                                   },
                               .take = taker.take};
    TRY_ASSIGN(const StoredImage end, signature->read_strips(bytes, what, options, &noting));
    if (orientation_for(options, end.orientation) == begun) return {};
  }
  TRY_ASSIGN(const StoredImage stored, read_whole(*signature, bytes, what, options));
  taker.begin(stored.image.width, stored.image.height, orientation_for(options, stored.orientation));
  taker.take(stored.image);
  return {};
}

Status load_strips(const Path& path, const ImageDecodeOptions& options, const StripTaker& taker) {
  TRY_ASSIGN(std::string text, read_file(path, largest_file(options)));
  return decode_strips(as_bytes(text), path.string(), options, taker);
}

Result<Image> load_image(const Path& path, const ImageDecodeOptions& options) {
  TRY_ASSIGN(std::string text, read_file(path, largest_file(options)));
  return decode_image(as_bytes(text), path.string(), options);
}

}  // namespace fastvlm
