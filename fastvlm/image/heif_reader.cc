#include "fastvlm/image/heif_reader.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "fastvlm/base/try.h"
#include "fastvlm/image/optional_library.h"

namespace fastvlm {
namespace {

// The functions of libheif that are used, as its manual declares them. All objects are opaque.
struct Context;
struct Handle;
struct Picture;
struct DecodingOptions {
  std::uint8_t version;
  std::uint8_t ignore_transformations;
};
struct HeifError {
  int code = 0, subcode = 0;
  const char* message = nullptr;
};
constexpr int kRgb = 1, kInterleavedRgb = 10, kInterleavedChannel = 10;

struct HeifLibrary {
  Context* (*new_context)() = nullptr;
  void (*free_context)(Context*) = nullptr;
  HeifError (*read)(Context*, const void*, std::size_t, const void*) = nullptr;
  HeifError (*primary)(Context*, Handle**) = nullptr;
  void (*free_handle)(const Handle*) = nullptr;
  int (*width)(const Handle*) = nullptr;
  int (*height)(const Handle*) = nullptr;
  HeifError (*decode)(const Handle*, Picture**, int, int, const DecodingOptions*) = nullptr;
  DecodingOptions* (*new_options)() = nullptr;
  void (*free_options)(DecodingOptions*) = nullptr;
  const std::uint8_t* (*plane)(const Picture*, int, int*) = nullptr;
  int (*picture_width)(const Picture*, int) = nullptr;
  int (*picture_height)(const Picture*, int) = nullptr;
  void (*free_picture)(const Picture*) = nullptr;
  bool there = false;
};

const HeifLibrary& heif() {
  static const HeifLibrary library = [] {
    HeifLibrary found;
    OptionalLibrary file("libheif.so.1");
    file.find("heif_context_alloc", found.new_context);
    file.find("heif_context_free", found.free_context);
    file.find("heif_context_read_from_memory_without_copy", found.read);
    file.find("heif_context_get_primary_image_handle", found.primary);
    file.find("heif_image_handle_release", found.free_handle);
    file.find("heif_image_handle_get_width", found.width);
    file.find("heif_image_handle_get_height", found.height);
    file.find("heif_decode_image", found.decode);
    file.find("heif_decoding_options_alloc", found.new_options);
    file.find("heif_decoding_options_free", found.free_options);
    file.find("heif_image_get_plane_readonly", found.plane);
    file.find("heif_image_get_width", found.picture_width);
    file.find("heif_image_get_height", found.picture_height);
    file.find("heif_image_release", found.free_picture);
    found.there = file.complete();
    return found;
  }();
  return library;
}

template <class T, class Deleter>
std::unique_ptr<T, Deleter> owned(T* object, Deleter deleter) {
  return {object, deleter};
}

}  // namespace

Result<StoredImage> read_heif(std::span<const std::byte> bytes, std::string_view what, const ImageDecodeOptions& options) {
  if (!heif().there) return missing_library(what, "HEIC or AVIF", "libheif.so.1", "libheif1");
  auto damaged = [&](const HeifError& error) {
    return bad_input("{}: the HEIC or AVIF picture cannot be decoded ({})", what,
                     error.message != nullptr ? error.message : "no reason given");
  };
  const auto context = owned(heif().new_context(), heif().free_context);
  const auto settings = owned(heif().new_options(), heif().free_options);
  if (context == nullptr || settings == nullptr) return bad_environment("{}: libheif cannot start; is the memory full?", what);
  if (const HeifError error = heif().read(context.get(), bytes.data(), bytes.size(), nullptr); error.code != 0) return damaged(error);
  Handle* found = nullptr;
  if (const HeifError error = heif().primary(context.get(), &found); error.code != 0) return damaged(error);
  const auto handle = owned(static_cast<const Handle*>(found), heif().free_handle);
  const int width = heif().width(found), height = heif().height(found);
  TRY(check_size(static_cast<std::uint64_t>(std::max(width, 0)), static_cast<std::uint64_t>(std::max(height, 0)), what, options));
  settings->ignore_transformations = options.ignore_exif ? 1 : 0;
  Picture* decoded = nullptr;
  if (const HeifError error = heif().decode(found, &decoded, kRgb, kInterleavedRgb, settings.get()); error.code != 0) return damaged(error);
  const auto picture = owned(static_cast<const Picture*>(decoded), heif().free_picture);
  int stride = 0;
  const std::uint8_t* plane = heif().plane(decoded, kInterleavedChannel, &stride);
  const int picture_width = heif().picture_width(decoded, kInterleavedChannel),
            picture_height = heif().picture_height(decoded, kInterleavedChannel);
  if (plane == nullptr || picture_width <= 0 || picture_height <= 0 || stride < picture_width * 3) return damaged({});
  TRY(check_size(static_cast<std::uint64_t>(picture_width), static_cast<std::uint64_t>(picture_height), what, options));
  Image image = Image::black(picture_width, picture_height);
  for (int y = 0; y < picture_height; ++y)
    std::memcpy(image.row(y), plane + static_cast<std::size_t>(y) * static_cast<std::size_t>(stride), image.row_bytes());
  return StoredImage{.image = std::move(image)};
}

}  // namespace fastvlm
