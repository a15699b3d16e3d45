#include "fastvlm/image/decode.h"

#include <string>

#include "fastvlm/base/try.h"
#include "fastvlm/image/jpeg_reader.h"
#include "fastvlm/image/orientation.h"
#include "fastvlm/image/png_reader.h"

namespace fastvlm {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{512} << 20;

enum class Format { kJpeg, kPng, kOther };

// How a format is known: `magic` at byte `offset`.
struct Signature {
  std::string_view name;
  std::size_t offset = 0;
  std::string_view magic;
  Format format = Format::kOther;
};

using namespace std::string_view_literals;
constexpr Signature kSignatures[] = {
    {.name = "JPEG", .magic = "\xff\xd8\xff"sv, .format = Format::kJpeg},
    {.name = "PNG", .magic = "\x89PNG\r\n\x1a\n"sv, .format = Format::kPng},
    {.name = "WebP", .offset = 8, .magic = "WEBP"sv},
    {.name = "GIF", .magic = "GIF8"sv},
    {.name = "HEIC", .offset = 4, .magic = "ftyphei"sv},
    {.name = "HEIC", .offset = 4, .magic = "ftyphevc"sv},
    {.name = "HEIF", .offset = 4, .magic = "ftypmif1"sv},
    {.name = "HEIF", .offset = 4, .magic = "ftypmsf1"sv},
    {.name = "AVIF", .offset = 4, .magic = "ftypavi"sv},
    {.name = "TIFF", .magic = "II*\0"sv},
    {.name = "TIFF", .magic = "MM\0*"sv},
    {.name = "JPEG XL", .magic = "\xff\x0a"sv},
    {.name = "JPEG XL", .magic = "\0\0\0\x0cJXL "sv},
    {.name = "JPEG 2000", .magic = "\0\0\0\x0cjP  "sv},
    {.name = "PDF", .magic = "%PDF"sv},
    {.name = "Photoshop", .magic = "8BPS"sv},
    {.name = "SVG", .magic = "<svg"sv},
    {.name = "icon (ICO)", .magic = "\0\0\1\0"sv},
    {.name = "BMP", .magic = "BM"sv},
};

const Signature* find_signature(std::string_view bytes) {
  for (const Signature& signature : kSignatures)
    if (bytes.size() >= signature.offset && bytes.substr(signature.offset).starts_with(signature.magic)) return &signature;
  return nullptr;
}

}  // namespace

Result<Image> decode_image(std::span<const std::byte> bytes, std::string_view what, const ImageDecodeOptions& options) {
  if (bytes.empty()) return bad_input("{}: the file is empty; a JPEG or PNG picture was expected", what);
  const Signature* signature = find_signature({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (signature == nullptr) return bad_input("{}: this is neither a JPEG nor a PNG picture; convert it to one of them", what);
  if (signature->format == Format::kOther)
    return bad_input("{}: the format {} is not supported; convert the picture to JPEG or PNG", what, signature->name);
  TRY_ASSIGN(StoredImage stored, signature->format == Format::kJpeg ? read_jpeg(bytes, what, options) : read_png(bytes, what, options));
  if (options.ignore_exif) return std::move(stored.image);
  return turn_upright(std::move(stored.image), stored.orientation);
}

Result<Image> load_image(const Path& path, const ImageDecodeOptions& options) {
  TRY_ASSIGN(std::string text, read_file(path, kMaxFileBytes));
  return decode_image(as_bytes(text), path.string(), options);
}

}  // namespace fastvlm
