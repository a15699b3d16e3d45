#include "fastvlm/image/png_reader.h"

#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <cstring>

#include "fastvlm/base/try.h"
#include "fastvlm/image/orientation.h"

namespace fastvlm {
namespace {

// Room for any one chunk that is not pixels (profiles, texts).
constexpr png_alloc_size_t kMaxChunkBytes = png_alloc_size_t{16} << 20;

struct Reader {
  std::span<const std::byte> rest;
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::jmp_buf escape{};
  char message[200] = "";

  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }
};

// Functions with setjmp hold no objects with destructors: longjmp would skip them.
[[noreturn]] void on_error(png_structp png, png_const_charp message) {
  auto* reader = static_cast<Reader*>(png_get_error_ptr(png));
  std::snprintf(reader->message, sizeof reader->message, "%s", message);
  std::longjmp(reader->escape, 1);
}

void on_warning(png_structp, png_const_charp) {}

void on_read(png_structp png, png_bytep out, std::size_t length) {
  auto& rest = static_cast<Reader*>(png_get_io_ptr(png))->rest;
  if (length > rest.size()) png_error(png, "the file is truncated");
  std::memcpy(out, rest.data(), length);
  rest = rest.subspan(length);
}

bool read_header(Reader& reader) {
  if (setjmp(reader.escape) != 0) return false;
  png_set_read_fn(reader.png, &reader, on_read);
  png_set_user_limits(reader.png, kMaxImageSide, kMaxImageSide);
  png_set_chunk_malloc_max(reader.png, kMaxChunkBytes);
  png_read_info(reader.png, reader.info);
  return true;
}

// Pillow clips deep grey at 255 and does not scale it down. The samples have two bytes, the upper one first.
void clip_samples(png_structp, png_row_infop row, png_bytep data) {
  for (std::size_t i = 0; i < row->rowbytes / 2; ++i) data[i] = data[2 * i] != 0 ? png_byte{255} : data[2 * i + 1];
}

// Asks for 8-bit RGB rows whatever is stored, and returns the number of passes over the rows; 0 on an error.
int start(Reader& reader) {
  if (setjmp(reader.escape) != 0) return 0;
  if (png_get_bit_depth(reader.png, reader.info) == 16 && png_get_color_type(reader.png, reader.info) == PNG_COLOR_TYPE_GRAY) {
    png_set_read_user_transform_fn(reader.png, clip_samples);
    png_set_user_transform_info(reader.png, nullptr, 8, 3);
  } else {
    png_set_strip_16(reader.png);
    png_set_expand(reader.png);
  }
  png_set_gray_to_rgb(reader.png);
  png_set_strip_alpha(reader.png);
  const int passes = png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
  return passes;
}

bool read_rows(Reader& reader, Image& image, int passes) {
  if (setjmp(reader.escape) != 0) return false;
  for (int pass = 0; pass < passes; ++pass)
    for (int y = 0; y < image.height; ++y) png_read_row(reader.png, image.row(y), nullptr);
  return true;
}

// Chunks after the pixels may hold EXIF. Damage there does not touch the picture and is forgiven, as Pillow does.
void read_end(Reader& reader) {
  if (setjmp(reader.escape) != 0) return;
  png_read_end(reader.png, reader.info);
}

std::span<const std::byte> xmp_of(const Reader& reader) {
  png_textp texts = nullptr;
  int count = 0;
  png_get_text(reader.png, reader.info, &texts, &count);
  for (const png_text& text : std::span(texts, static_cast<std::size_t>(count)))
    if (std::strcmp(text.key, "XML:com.adobe.xmp") == 0 && text.text != nullptr)
      return std::as_bytes(std::span(text.text, std::max(text.text_length, text.itxt_length)));
  return {};
}

int stored_orientation(const Reader& reader) {
  png_bytep exif = nullptr;
  png_uint_32 length = 0;
  if (png_get_eXIf_1(reader.png, reader.info, &length, &exif) == 0) length = 0;
  return orientation_of(std::as_bytes(std::span(exif, length)), xmp_of(reader));
}

}  // namespace

Result<StoredImage> read_png(std::span<const std::byte> bytes, std::string_view what, const ImageDecodeOptions& options,
                             const StripTaker* taker) {
  Reader reader{.rest = bytes};
  auto damaged = [&] { return bad_input("{}: the PNG cannot be decoded ({})", what, reader.message); };
  reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, on_error, on_warning);
  if (reader.png != nullptr) reader.info = png_create_info_struct(reader.png);
  if (reader.info == nullptr) return bad_environment("{}: libpng cannot start; is the memory full?", what);

  if (!read_header(reader)) return damaged();
  const png_uint_32 width = png_get_image_width(reader.png, reader.info);
  const png_uint_32 height = png_get_image_height(reader.png, reader.info);
  TRY(check_size(width, height, what, options));
  const int passes = start(reader);
  if (passes == 0) return damaged();
  const int rows = static_cast<int>(height), columns = static_cast<int>(width);
  // The passes of an interlaced picture go over all of it.
  Image image = Image::black(columns, taker != nullptr && passes == 1 ? strip_height(columns, rows) : rows);
  if (taker != nullptr) taker->begin(columns, rows, stored_orientation(reader));
  FASTVLM_ASSERT(png_get_rowbytes(reader.png, reader.info) == image.row_bytes(), "libpng gives three bytes per pixel");
  for (int y = 0; y < rows; y += image.height) {
    image.height = std::min(image.height, rows - y);
    if (!read_rows(reader, image, passes)) return damaged();
    if (taker != nullptr) taker->take(image);
  }
  read_end(reader);
  if (taker != nullptr) image = {};
  return StoredImage{.image = std::move(image), .orientation = stored_orientation(reader)};
}

}  // namespace fastvlm
