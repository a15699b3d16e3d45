#include "fastvlm/image/resize.h"

#include <cstring>

#include "fastvlm/base/assert.h"
#include "fastvlm/image/resize_passes.h"
#include "fastvlm/image/resize_weights.h"

namespace fastvlm {

Image resize(const Image& image, const ResizeAxis& across, const ResizeAxis& down, const ResizeHow& how) {
  FASTVLM_ASSERT(image.rgb.size() == image.row_bytes() * static_cast<std::size_t>(image.height), "a whole picture");
  const Axis columns = {axis_weights(across, image.width, how.filter), how.canvas};
  const Axis rows = {axis_weights(down, image.height, how.filter), how.canvas};
  Image out = Image::filled(across.count, down.count, how.canvas);
  if (columns.weights.outputs.empty() || rows.weights.outputs.empty()) return out;

  const Source source = source_of(image, rows.weights.begin);
  const std::size_t needed = static_cast<std::size_t>(rows.weights.end - rows.weights.begin);
  Rows result = columns_first(across, down) ? resize_across(source_of(resize_down(source, rows)), rows.weights.outputs.size(), columns)
                                            : resize_down(source_of(resize_across(source, needed, columns)), rows);
  for (std::size_t y = 0; y < result.count; ++y) {
    std::uint8_t* row = out.row(rows.weights.first_output + static_cast<int>(y));
    std::memcpy(row + static_cast<std::size_t>(columns.weights.first_output) * 3, result.row(y), result.length);
  }
  return out;
}

Image resize(const Image& image, int width, int height, ResizeFilter filter) {
  return resize(image, {.canvas = image.width, .resized = width, .count = width},
                {.canvas = image.height, .resized = height, .count = height}, {.filter = filter});
}

}  // namespace fastvlm
