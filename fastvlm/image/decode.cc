#include "fastvlm/image/decode.h"

#include <string>

#include "fastvlm/base/try.h"
#include "fastvlm/image/bmp_reader.h"
#include "fastvlm/image/gif_reader.h"
#include "fastvlm/image/heif_reader.h"
#include "fastvlm/image/jpeg_reader.h"
#include "fastvlm/image/orientation.h"
#include "fastvlm/image/png_reader.h"
#include "fastvlm/image/tiff_reader.h"
#include "fastvlm/image/webp_reader.h"

namespace fastvlm {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{512} << 20;

using Reader = Result<StoredImage>(std::span<const std::byte> bytes, std::string_view what, const ImageDecodeOptions& options);

// How a format is known: `magic` at byte `offset`.
struct Signature {
  std::string_view name;
  std::size_t offset = 0;
  std::string_view magic;
  Reader* read = nullptr;  // nullptr: not supported
};

using namespace std::string_view_literals;
constexpr Signature kSignatures[] = {
    {.name = "JPEG", .magic = "\xff\xd8\xff"sv, .read = read_jpeg},
    {.name = "PNG", .magic = "\x89PNG\r\n\x1a\n"sv, .read = read_png},
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

}  // namespace

Result<Image> decode_image(std::span<const std::byte> bytes, std::string_view what, const ImageDecodeOptions& options) {
  if (bytes.empty()) return bad_input("{}: the file is empty; a picture was expected", what);
  const Signature* signature = find_signature({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (signature == nullptr) return bad_input("{}: this is no picture of a known format; convert it to JPEG or PNG", what);
  if (signature->read == nullptr)
    return bad_input("{}: the format {} is not supported; convert the picture to JPEG or PNG", what, signature->name);
  TRY_ASSIGN(StoredImage stored, signature->read(bytes, what, options));
  if (options.ignore_exif) return std::move(stored.image);
  return turn_upright(std::move(stored.image), stored.orientation);
}

Result<Image> load_image(const Path& path, const ImageDecodeOptions& options) {
  TRY_ASSIGN(std::string text, read_file(path, kMaxFileBytes));
  return decode_image(as_bytes(text), path.string(), options);
}

}  // namespace fastvlm
