#include "fastvlm/image/png_writer.h"

#include <png.h>

#include <csetjmp>
#include <string>

namespace fastvlm {
namespace {

struct Writer {
  std::string bytes;
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::jmp_buf escape{};

  ~Writer() { png_destroy_write_struct(&png, &info); }
};

[[noreturn]] void on_error(png_structp png, png_const_charp) { std::longjmp(static_cast<Writer*>(png_get_error_ptr(png))->escape, 1); }

void on_write(png_structp png, png_bytep bytes, std::size_t length) {
  static_cast<Writer*>(png_get_io_ptr(png))->bytes.append(reinterpret_cast<const char*>(bytes), length);
}

// Holds no objects with destructors: longjmp would skip them.
bool encode(Writer& writer, const Image& image) {
  if (setjmp(writer.escape) != 0) return false;
  png_set_write_fn(writer.png, &writer, on_write, [](png_structp) {});
  const auto width = static_cast<png_uint_32>(image.width), height = static_cast<png_uint_32>(image.height);
  png_set_IHDR(writer.png, writer.info, width, height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  png_write_info(writer.png, writer.info);
  for (int y = 0; y < image.height; ++y) png_write_row(writer.png, image.row(y));
  png_write_end(writer.png, writer.info);
  return true;
}

}  // namespace

Status write_png(const Path& path, const Image& image) {
  FASTVLM_ASSERT(image.width > 0 && image.height > 0, "a PNG has at least one pixel");
  Writer writer;
  writer.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &writer, on_error, [](png_structp, png_const_charp) {});
  if (writer.png != nullptr) writer.info = png_create_info_struct(writer.png);
  if (writer.info == nullptr || !encode(writer, image))
    return bad_environment("{}: libpng cannot encode the picture; is the memory full?", path.string());
  return write_file_atomically(path, writer.bytes);
}

}  // namespace fastvlm
