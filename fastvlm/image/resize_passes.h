// The two passes of a resize, over rows wherever they lie.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "fastvlm/image/image.h"
#include "fastvlm/image/resize.h"
#include "fastvlm/image/resize_kernels.h"
#include "fastvlm/image/resize_weights.h"

namespace fastvlm {

// Rows of `length` bytes, `stride` apart. The outputs that see none of the picture are left out.
struct Rows {
  std::size_t length = 0;
  std::size_t stride = 0;
  std::size_t count = 0;
  std::vector<std::uint8_t> bytes;

  Rows(std::size_t length, std::size_t count) : length(length), stride(length + kRowSlack), count(count), bytes(stride * count) {}
  std::uint8_t* row(std::size_t y) { return bytes.data() + y * stride; }
};

// One axis of a resize and the colour of the canvas.
struct Axis {
  AxisWeights weights;
  Color canvas;
};

// Part of a picture or of rows, to read from.
struct Source {
  const std::uint8_t* bytes = nullptr;
  std::size_t length = 0;
  std::size_t stride = 0;
  const std::uint8_t* end = nullptr;  // of the memory
};

inline Source source_of(const Image& image, int first_row) {
  return {image.row(first_row), image.row_bytes(), image.row_bytes(), image.rgb.data() + image.rgb.size()};
}
inline Source source_of(const Rows& rows) { return {rows.bytes.data(), rows.length, rows.stride, rows.bytes.data() + rows.bytes.size()}; }

// Resizes the first `count` rows of the source along the rows, into those of `out` from `first` on.
void resize_across(const Source& source, std::size_t count, const Axis& across, Rows& out, std::size_t first);
Rows resize_across(const Source& source, std::size_t count, const Axis& across);

// One output of the pass along the columns: `source` begins at row `source_row` of the picture. `to` has room for its length.
void resize_down_row(const Source& source, int source_row, const Axis& down, std::size_t output, std::uint8_t* to);
// All of them; `source` begins at row down.weights.begin of the picture.
Rows resize_down(const Source& source, const Axis& down);

// Pillow goes along the rows first; from version 13 on, along the columns where that saves much work. The order shows
// in the rounding. With equal scales, as on a padded square, it is always rows first.
bool columns_first(const ResizeAxis& across, const ResizeAxis& down);

}  // namespace fastvlm
