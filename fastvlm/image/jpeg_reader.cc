#include "fastvlm/image/jpeg_reader.h"

#include <csetjmp>
#include <cstdio>
#include <cstring>
// libjpeg's headers need size_t and FILE declared before them.
#include <jpeglib.h>
// The message codes.
#include <jerror.h>

#include <algorithm>
#include <vector>

#include "fastvlm/base/try.h"
#include "fastvlm/image/orientation.h"

namespace fastvlm {
namespace {

// Real progressive files have about ten scans. Thousands of tiny ones make a small file run for minutes.
constexpr int kMaxScans = 200;

// What libjpeg's callbacks see. `info` comes first: they find the rest through info.client_data.
struct Reader {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  jpeg_source_mgr source{};
  jpeg_progress_mgr progress{};
  std::jmp_buf escape{};
  char message[JMSG_LENGTH_MAX] = "";

  ~Reader() { jpeg_destroy_decompress(&info); }
};

// Functions with setjmp hold no objects with destructors: longjmp would skip them.
[[noreturn]] void fail(j_common_ptr info, const char* message) {
  auto* reader = static_cast<Reader*>(info->client_data);
  std::snprintf(reader->message, sizeof reader->message, "%s", message);
  std::longjmp(reader->escape, 1);
}

[[noreturn]] void fail_with_own_message(j_common_ptr info) {
  char message[JMSG_LENGTH_MAX];
  info->err->format_message(info, message);
  fail(info, message);
}

// After these warnings libjpeg goes on with made-up pixels.
bool means_damage(int code) {
  return code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE || code == JWRN_MUST_RESYNC || code == JWRN_ARITH_BAD_CODE ||
         code == JWRN_JPEG_EOF;
}

void on_message(j_common_ptr info, int level) {
  if (level < 0 && means_damage(info->err->msg_code)) fail_with_own_message(info);
}

boolean on_end_of_input(j_decompress_ptr info) { fail(reinterpret_cast<j_common_ptr>(info), "the file is truncated"); }

void skip_input(j_decompress_ptr info, long count) {
  if (count <= 0) return;
  jpeg_source_mgr& source = *info->src;
  if (static_cast<unsigned long>(count) > source.bytes_in_buffer) on_end_of_input(info);
  source.next_input_byte += count;
  source.bytes_in_buffer -= static_cast<std::size_t>(count);
}

void on_progress(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > kMaxScans) fail(info, "it has more scans than any honest picture");
}

void set_up(Reader& reader, std::span<const std::byte> bytes) {
  reader.info.err = jpeg_std_error(&reader.errors);
  reader.errors.error_exit = fail_with_own_message;
  reader.errors.emit_message = on_message;
  reader.errors.output_message = [](j_common_ptr) {};
  reader.source.next_input_byte = reinterpret_cast<const JOCTET*>(bytes.data());
  reader.source.bytes_in_buffer = bytes.size();
  reader.source.init_source = [](j_decompress_ptr) {};
  reader.source.fill_input_buffer = on_end_of_input;
  reader.source.skip_input_data = skip_input;
  reader.source.resync_to_restart = jpeg_resync_to_restart;
  reader.source.term_source = [](j_decompress_ptr) {};
  reader.progress.progress_monitor = on_progress;
}

bool read_header(Reader& reader) {
  // jpeg_create_decompress clears the struct except for err and client_data.
  reader.info.client_data = &reader;
  if (setjmp(reader.escape) != 0) return false;
  jpeg_create_decompress(&reader.info);
  reader.info.src = &reader.source;
  reader.info.progress = &reader.progress;
  jpeg_save_markers(&reader.info, JPEG_APP0 + 1, 0xFFFF);
  jpeg_read_header(&reader.info, TRUE);
  return true;
}

bool start(Reader& reader) {
  if (setjmp(reader.escape) != 0) return false;
  reader.info.out_color_space = reader.info.num_components == 4 ? JCS_CMYK : JCS_RGB;
  jpeg_start_decompress(&reader.info);
  return true;
}

// Division by 255, rounded, of a product of two bytes.
int divide_by_255(int product) {
  product += 128;
  return ((product >> 8) + product) >> 8;
}

// `cmyk` as Adobe stores it: 255 is no ink.
void cmyk_to_rgb(const std::uint8_t* cmyk, std::uint8_t* rgb, std::size_t pixels) {
  for (std::size_t i = 0; i < pixels; ++i, cmyk += 4, rgb += 3)
    for (int c = 0; c < 3; ++c) rgb[c] = static_cast<std::uint8_t>(std::max(0, cmyk[3] - divide_by_255((255 - cmyk[c]) * cmyk[3])));
}

// Fills `image` with the next rows. `cmyk_row` has room for one row of four-channel pixels, or is null for RGB output.
bool read_rows(Reader& reader, Image& image, std::uint8_t* cmyk_row) {
  if (setjmp(reader.escape) != 0) return false;
  const JDIMENSION first = reader.info.output_scanline;
  while (reader.info.output_scanline < first + static_cast<JDIMENSION>(image.height)) {
    JSAMPROW rows[4];
    const int y = static_cast<int>(reader.info.output_scanline - first);
    int wanted = cmyk_row != nullptr ? 1 : std::min(4, image.height - y);
    for (int i = 0; i < wanted; ++i) rows[i] = cmyk_row != nullptr ? cmyk_row : image.row(y + i);
    jpeg_read_scanlines(&reader.info, rows, static_cast<JDIMENSION>(wanted));
    if (cmyk_row != nullptr) cmyk_to_rgb(cmyk_row, image.row(y), image.width);
  }
  return true;
}

// Reads up to the end marker, so that a file cut off just before it is noticed.
bool finish(Reader& reader) {
  if (setjmp(reader.escape) != 0) return false;
  jpeg_finish_decompress(&reader.info);
  return true;
}

// The data of the application marker that begins so; of EXIF the first counts, of XMP the last, as in Pillow.
std::span<const std::byte> marker_data(const Reader& reader, std::string_view prefix, bool last) {
  std::span<const std::byte> found;
  for (jpeg_saved_marker_ptr marker = reader.info.marker_list; marker != nullptr; marker = marker->next) {
    if (marker->data_length <= prefix.size() || std::memcmp(marker->data, prefix.data(), prefix.size()) != 0) continue;
    found = std::as_bytes(std::span(marker->data, marker->data_length)).subspan(prefix.size());
    if (!last) break;
  }
  return found;
}

int stored_orientation(const Reader& reader) {
  using namespace std::string_view_literals;
  return orientation_of(marker_data(reader, "Exif\0\0"sv, false), marker_data(reader, "http://ns.adobe.com/xap/1.0/\0"sv, true));
}

}  // namespace

Result<StoredImage> read_jpeg(std::span<const std::byte> bytes, std::string_view what, const ImageDecodeOptions& options,
                              const StripTaker* taker) {
  Reader reader;
  auto damaged = [&] { return bad_input("{}: the JPEG cannot be decoded ({})", what, reader.message); };
  set_up(reader, bytes);
  if (!read_header(reader)) return damaged();
  const auto& info = reader.info;
  if (info.num_components != 1 && info.num_components != 3 && info.num_components != 4)
    return bad_input("{}: a JPEG with {} channels is not supported; convert it to RGB", what, info.num_components);
  TRY(check_size(info.image_width, info.image_height, what, options));
  const int orientation = stored_orientation(reader);  // finishing frees the markers
  if (!start(reader)) return damaged();
  const int width = static_cast<int>(info.output_width), height = static_cast<int>(info.output_height);
  Image image = Image::black(width, taker != nullptr ? strip_height(width, height) : height);
  if (taker != nullptr) taker->begin(width, height, orientation);
  std::vector<std::uint8_t> cmyk_row(info.out_color_components == 4 ? std::size_t{info.output_width} * 4 : 0);
  for (int y = 0; y < height; y += image.height) {
    image.height = std::min(image.height, height - y);
    if (!read_rows(reader, image, cmyk_row.empty() ? nullptr : cmyk_row.data())) return damaged();
    if (taker != nullptr) taker->take(image);
  }
  if (!finish(reader)) return damaged();
  if (taker != nullptr) image = {};
  return StoredImage{.image = std::move(image), .orientation = orientation};
}

}  // namespace fastvlm
