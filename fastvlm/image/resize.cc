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

// Rows resized along one axis, as long as the outputs that see any of the picture.
struct NarrowRows {
  std::size_t stride = 0;
  std::vector<std::uint8_t> bytes;
  std::uint8_t* row(std::size_t y) { return bytes.data() + y * stride; }
};

// Below this many source pixels a second thread costs more than it saves.
constexpr std::size_t kPixelsWorthThreads = std::size_t{1} << 19;
constexpr std::size_t kRowsPerPiece = 64;

template <class Work>
void for_pieces(std::size_t rows, std::size_t pixels, const Work& work) {
  const std::size_t pieces = (rows + kRowsPerPiece - 1) / kRowsPerPiece;
  Status status = parallel_for(pieces, pixels < kPixelsWorthThreads ? 1 : 0, [&](std::size_t piece) -> Status {
    work(piece * kRowsPerPiece, std::min(rows, (piece + 1) * kRowsPerPiece));
    return {};
  });
  FASTVLM_ASSERT(status.ok(), "resizing has no errors");
}

// Resizes rows [begin, end) of the needed ones. A row is the copy in `spare` when the kernel's reach beyond it would leave
// the picture's memory.
void resize_piece(const Image& image, const AxisWeights& across, int first_row, std::size_t begin, std::size_t end,
                  NarrowRows& narrow) {
  const std::uint8_t* memory_end = image.rgb.data() + image.rgb.size();
  std::array<std::vector<std::uint8_t>, kRowsAtOnce> spare;
  for (std::size_t y = begin; y < end; y += kRowsAtOnce) {
    const std::uint8_t* from[kRowsAtOnce];
    std::uint8_t* to[kRowsAtOnce];
    for (std::size_t i = 0; i < kRowsAtOnce; ++i) {
      const std::size_t row = std::min(y + i, end - 1);
      from[i] = image.row(first_row + static_cast<int>(row));
      to[i] = narrow.row(row);
      if (static_cast<std::size_t>(memory_end - from[i]) >= image.row_bytes() + kRowSlack) continue;
      spare[i].resize(image.row_bytes() + kRowSlack);
      std::memcpy(spare[i].data(), from[i], image.row_bytes());
      from[i] = spare[i].data();
    }
    best_kernels().resize_rows(across, from, to);
  }
}

}  // namespace

Image resize_bicubic(const Image& image, const ResizeAxis& across, const ResizeAxis& down) {
  FASTVLM_ASSERT(image.rgb.size() == image.row_bytes() * static_cast<std::size_t>(image.height), "a whole picture");
  const AxisWeights columns = axis_weights(across, image.width);
  const AxisWeights rows = axis_weights(down, image.height);
  Image out = Image::black(across.count, down.count);
  if (columns.outputs.empty() || rows.outputs.empty()) return out;

  const std::size_t needed = static_cast<std::size_t>(rows.end - rows.begin);
  const std::size_t length = columns.outputs.size() * 3;
  NarrowRows narrow{.stride = length + kRowSlack, .bytes = {}};
  narrow.bytes.resize(narrow.stride * needed);
  const std::size_t pixels = needed * static_cast<std::size_t>(columns.end - columns.begin);
  for_pieces(needed, pixels, [&](std::size_t begin, std::size_t end) {
    resize_piece(image, columns, rows.begin, begin, end, narrow);
  });
  for_pieces(rows.outputs.size(), pixels, [&](std::size_t begin, std::size_t end) {
    for (std::size_t y = begin; y < end; ++y) {
      const AxisWeights::Output& output = rows.outputs[y];
      std::uint8_t* to = out.row(rows.first_output + static_cast<int>(y)) + static_cast<std::size_t>(columns.first_output) * 3;
      best_kernels().sum_rows({.from = narrow.row(static_cast<std::size_t>(output.begin - rows.begin)),
                .stride = narrow.stride,
                .weights = rows.weights.data() + output.weight,
                .count = output.count},
               to, length);
    }
  });
  return out;
}

Image resize_bicubic(const Image& image, int width, int height) {
  return resize_bicubic(image, {.canvas = image.width, .resized = width, .count = width},
                        {.canvas = image.height, .resized = height, .count = height});
}

}  // namespace fastvlm
