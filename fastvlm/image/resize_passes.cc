#include "fastvlm/image/resize_passes.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "fastvlm/base/assert.h"
#include "fastvlm/base/parallel.h"

namespace fastvlm {
namespace {

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
void resize_piece(const Source& source, const Axis& across, std::size_t begin, std::size_t end, std::uint8_t* out, std::size_t out_stride) {
  std::array<std::vector<std::uint8_t>, kRowsAtOnce> spare;
  for (std::size_t y = begin; y < end; y += kRowsAtOnce) {
    const std::uint8_t* from[kRowsAtOnce];
    std::uint8_t* to[kRowsAtOnce];
    for (std::size_t i = 0; i < kRowsAtOnce; ++i) {
      const std::size_t row = std::min(y + i, end - 1);
      from[i] = source.bytes + row * source.stride;
      to[i] = out + row * out_stride;
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

}  // namespace

void resize_across(const Source& source, std::size_t count, const Axis& across, Rows& out, std::size_t first) {
  FASTVLM_ASSERT(first + count <= out.count, "room for the rows");
  for_pieces(count, source.length * count,
             [&](std::size_t begin, std::size_t end) { resize_piece(source, across, begin, end, out.row(first), out.stride); });
}

Rows resize_across(const Source& source, std::size_t count, const Axis& across) {
  Rows out(across.weights.outputs.size() * 3, count);
  resize_across(source, count, across, out, 0);
  return out;
}

void resize_down_row(const Source& source, int source_row, const Axis& down, std::size_t output_index, std::uint8_t* to) {
  const AxisWeights::Output& output = down.weights.outputs[output_index];
  const WeightedRows sum = {.from = source.bytes + static_cast<std::size_t>(output.begin - source_row) * source.stride,
                            .stride = source.stride,
                            .weights = down.weights.weights.data() + output.weight,
                            .count = output.count};
  if (output.outside != 0 && down.canvas != Color{})
    blend_row(sum, output.outside, down.canvas, to, source.length);
  else
    best_kernels().sum_rows(sum, to, source.length);
}

Rows resize_down(const Source& source, const Axis& down) {
  const AxisWeights& rows = down.weights;
  Rows out(source.length, rows.outputs.size());
  const std::size_t needed = static_cast<std::size_t>(rows.end - rows.begin);
  for_pieces(out.count, source.length * needed, [&](std::size_t begin, std::size_t end) {
    for (std::size_t y = begin; y < end; ++y) resize_down_row(source, rows.begin, down, y, out.row(y));
  });
  return out;
}

bool columns_first(const ResizeAxis& across, const ResizeAxis& down) {
  return down.resized < down.canvas && down.canvas - down.resized > 2 * (across.canvas - across.resized);
}

}  // namespace fastvlm
