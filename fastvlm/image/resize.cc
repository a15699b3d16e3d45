#include "fastvlm/image/resize.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "fastvlm/base/assert.h"
#include "fastvlm/base/parallel.h"
#include "fastvlm/image/resize_kernels.h"
#include "fastvlm/image/resize_weights.h"

namespace fastvlm {
namespace {

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

Source source_of(const Image& image, int first_row) {
  return {image.row(first_row), image.row_bytes(), image.row_bytes(), image.rgb.data() + image.rgb.size()};
}
Source source_of(const Rows& rows) { return {rows.bytes.data(), rows.length, rows.stride, rows.bytes.data() + rows.bytes.size()}; }

// Below this many source bytes a second thread costs more than it saves.
constexpr std::size_t kBytesWorthThreads = std::size_t{1} << 20;
constexpr std::size_t kRowsPerPiece = 64;

template <class Work>
void for_pieces(std::size_t rows, std::size_t bytes, const Work& work) {
  const std::size_t pieces = (rows + kRowsPerPiece - 1) / kRowsPerPiece;
  const Status status = parallel_for(pieces, bytes < kBytesWorthThreads ? 1 : 0, [&](std::size_t piece) -> Status {
    work(piece * kRowsPerPiece, std::min(rows, (piece + 1) * kRowsPerPiece));
    return {};
  });
  FASTVLM_ASSERT(status.ok(), "resizing has no errors");
}

// The outputs of a row that see the canvas as well are computed anew, with its colour.
void blend_columns(const std::uint8_t* from, const AxisWeights& columns, const Color& canvas, std::uint8_t* to) {
  for (std::size_t x = 0; x < columns.outputs.size(); ++x) {
    const AxisWeights::Output& output = columns.outputs[x];
    if (output.outside == 0) continue;
    for (std::size_t c = 0; c < 3; ++c) {
      std::int32_t sum = kHalfWeight + output.outside * canvas[c];
      for (int i = 0; i < output.count; ++i)
        sum += from[static_cast<std::size_t>(output.begin + i) * 3 + c] * columns.weights[output.weight + static_cast<std::size_t>(i)];
      to[x * 3 + c] = sum_to_byte(sum);
    }
  }
}

// The same for a whole row of outputs.
void blend_row(const WeightedRows& rows, std::int32_t outside, const Color& canvas, std::uint8_t* to, std::size_t length) {
  for (std::size_t i = 0; i < length; ++i) {
    std::int32_t sum = kHalfWeight + outside * canvas[i % 3];
    for (int k = 0; k < rows.count; ++k) sum += rows.from[static_cast<std::size_t>(k) * rows.stride + i] * rows.weights[k];
    to[i] = sum_to_byte(sum);
  }
}

// Resizes rows [begin, end). Where the kernel's reach beyond a row would leave the memory, it gets a copy of the row.
void resize_piece(const Source& source, const Axis& across, std::size_t begin, std::size_t end, Rows& out) {
  std::array<std::vector<std::uint8_t>, kRowsAtOnce> spare;
  for (std::size_t y = begin; y < end; y += kRowsAtOnce) {
    const std::uint8_t* from[kRowsAtOnce];
    std::uint8_t* to[kRowsAtOnce];
    for (std::size_t i = 0; i < kRowsAtOnce; ++i) {
      const std::size_t row = std::min(y + i, end - 1);
      from[i] = source.bytes + row * source.stride;
      to[i] = out.row(row);
      if (static_cast<std::size_t>(source.end - from[i]) >= source.length + kRowSlack) continue;
      spare[i].resize(source.length + kRowSlack);
      std::memcpy(spare[i].data(), from[i], source.length);
      from[i] = spare[i].data();
    }
    best_kernels().resize_rows(across.weights, from, to);
    if (across.canvas == Color{}) continue;
    for (std::size_t i = 0; i < kRowsAtOnce; ++i) blend_columns(from[i], across.weights, across.canvas, to[i]);
  }
}

Rows resize_across(const Source& source, std::size_t count, const Axis& across) {
  Rows out(across.weights.outputs.size() * 3, count);
  for_pieces(count, source.length * count, [&](std::size_t begin, std::size_t end) { resize_piece(source, across, begin, end, out); });
  return out;
}

// `source` begins at row rows.begin of the picture.
Rows resize_down(const Source& source, const Axis& down) {
  const AxisWeights& rows = down.weights;
  Rows out(source.length, rows.outputs.size());
  const std::size_t needed = static_cast<std::size_t>(rows.end - rows.begin);
  for_pieces(out.count, source.length * needed, [&](std::size_t begin, std::size_t end) {
    for (std::size_t y = begin; y < end; ++y) {
      const AxisWeights::Output& output = rows.outputs[y];
      const std::size_t first_row = static_cast<std::size_t>(output.begin - rows.begin);
      const WeightedRows sum = {.from = source.bytes + first_row * source.stride,
                                .stride = source.stride,
                                .weights = rows.weights.data() + output.weight,
                                .count = output.count};
      if (output.outside != 0 && down.canvas != Color{})
        blend_row(sum, output.outside, down.canvas, out.row(y), out.length);
      else
        best_kernels().sum_rows(sum, out.row(y), out.length);
    }
  });
  return out;
}

// Pillow goes along the rows first; from version 13 on, along the columns where that saves much work. The order shows
// in the rounding. With equal scales, as on a padded square, it is always rows first.
bool columns_first(const ResizeAxis& across, const ResizeAxis& down) {
  return down.resized < down.canvas && down.canvas - down.resized > 2 * (across.canvas - across.resized);
}

}  // namespace

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
