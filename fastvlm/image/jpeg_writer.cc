#include "fastvlm/image/jpeg_writer.h"

#include <cstdio>
// After <cstdio>, which it needs.
#include <jpeglib.h>

#include <csetjmp>
#include <cstdlib>

namespace fastvlm {
namespace {

struct Writer {
  jpeg_compress_struct jpeg{};
  jpeg_error_mgr errors{};
  std::jmp_buf escape{};
  unsigned char* bytes = nullptr;
  unsigned long size = 0;  // NOLINT(google-runtime-int): libjpeg's type

  ~Writer() {
    jpeg_destroy_compress(&jpeg);
    std::free(bytes);
  }
};

[[noreturn]] void on_error(j_common_ptr common) { std::longjmp(static_cast<Writer*>(common->client_data)->escape, 1); }

// Holds no objects with destructors: longjmp would skip them.
bool encode(Writer& writer, const Image& image, int quality) {
  writer.jpeg.err = jpeg_std_error(&writer.errors);
  writer.errors.error_exit = on_error;
  writer.jpeg.client_data = &writer;
  if (setjmp(writer.escape) != 0) return false;
  jpeg_create_compress(&writer.jpeg);
  jpeg_mem_dest(&writer.jpeg, &writer.bytes, &writer.size);
  writer.jpeg.image_width = static_cast<JDIMENSION>(image.width);
  writer.jpeg.image_height = static_cast<JDIMENSION>(image.height);
  writer.jpeg.input_components = 3;
  writer.jpeg.in_color_space = JCS_RGB;
  jpeg_set_defaults(&writer.jpeg);
  jpeg_set_quality(&writer.jpeg, quality, TRUE);
  jpeg_start_compress(&writer.jpeg, TRUE);
  for (int y = 0; y < image.height; ++y) {
    JSAMPROW row = const_cast<JSAMPROW>(image.row(y));
    jpeg_write_scanlines(&writer.jpeg, &row, 1);
  }
  jpeg_finish_compress(&writer.jpeg);
  return true;
}

}  // namespace

Result<std::string> encode_jpeg(const Image& image, int quality) {
  FASTVLM_ASSERT(image.width > 0 && image.height > 0 && image.width <= JPEG_MAX_DIMENSION && image.height <= JPEG_MAX_DIMENSION,
                 "a size that a JPEG can have");
  Writer writer;
  if (!encode(writer, image, quality)) return bad_environment("libjpeg cannot encode a picture; is the memory full?");
  return std::string(reinterpret_cast<const char*>(writer.bytes), writer.size);
}

}  // namespace fastvlm
