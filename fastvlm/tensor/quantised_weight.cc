#include "fastvlm/tensor/quantised_weight.h"

#include <fmt/format.h>

#include <algorithm>

#include "fastvlm/base/try.h"
#include "fastvlm/tensor/pending_rows.h"

namespace fastvlm {
namespace {

constexpr std::int64_t kNumbersAtOnce = std::int64_t{1} << 20;

struct RowRange {
  std::int64_t begin = 0, end = 0;
};

struct Quantiser {
  Quantiser(WeightPtr source, BlockFormat blocks_format)
      : weight(std::move(source)),
        format(blocks_format),
        scales(weight->row_count(), blocks()),
        zero_points(weight->row_count(), zero_point_bytes()) {}

  const WeightPtr weight;
  const BlockFormat format;
  PendingRows<float> scales;
  PendingRows<std::byte> zero_points;

  std::int64_t blocks() const { return format.blocks_of(weight->row_size()); }
  std::int64_t zero_point_bytes() const { return format.zero_point_bytes(weight->row_size()); }
  Result<CastLosses> make(std::int64_t begin, std::int64_t end, const BlockNumbers& out) const {
    thread_local std::vector<float> rows;
    rows.resize(static_cast<std::size_t>((end - begin) * weight->row_size()));
    TRY(weight->read_rows(begin, end, rows));
    quantise_blocks(rows, weight->row_size(), format, out);
    return count_not_finite(rows);
  }
};

// What a few rows became.
struct Piece {
  std::vector<float> scales;
  std::vector<std::byte> codes, zero_points;

  BlockNumbers make_room(const Quantiser& quantiser, std::int64_t rows) {
    scales.resize(static_cast<std::size_t>(rows * quantiser.blocks()));
    codes.resize(static_cast<std::size_t>(rows * quantiser.format.row_bytes(quantiser.weight->row_size())));
    zero_points.resize(static_cast<std::size_t>(rows * quantiser.zero_point_bytes()));
    return {.scales = scales, .codes = codes, .zero_points = zero_points};
  }
};

Result<CastLosses> make_codes(Quantiser& quantiser, std::int64_t begin, std::int64_t end, std::span<std::byte> out) {
  thread_local Piece piece;
  BlockNumbers numbers = piece.make_room(quantiser, end - begin);
  numbers.codes = out;
  TRY_ASSIGN(const CastLosses losses, quantiser.make(begin, end, numbers));
  quantiser.scales.put(begin, numbers.scales);
  if (quantiser.format.shifted) quantiser.zero_points.put(begin, numbers.zero_points);
  return losses;
}

// Rows of scales and zero points are short, so that a piece of them may stand for a whole matrix: a few rows at a time.
template <class T>
Status make_beside(Quantiser& quantiser, PendingRows<T>& pending, std::vector<T> Piece::* which, RowRange range, std::span<T> out) {
  if (pending.take(range.begin, range.end, out)) return {};
  const std::int64_t step = std::max<std::int64_t>(1, kNumbersAtOnce / quantiser.weight->row_size());
  Piece piece;
  auto to = out.begin();
  for (std::int64_t row = range.begin; row < range.end; row += step) {
    const std::int64_t last = std::min(row + step, range.end);
    TRY(quantiser.make(row, last, piece.make_room(quantiser, last - row)));
    to = std::ranges::copy(piece.*which, to).out;
  }
  return {};
}

WeightPtr zero_points_of(const std::shared_ptr<Quantiser>& quantiser, const std::string& done) {
  auto source = std::make_shared<PackedSource>();
  source->rows = quantiser->weight->row_count(), source->row_bytes = quantiser->zero_point_bytes();
  source->read = [quantiser](std::int64_t begin, std::int64_t end, std::span<std::byte> out) -> Result<CastLosses> {
    TRY(make_beside(*quantiser, quantiser->zero_points, &Piece::zero_points, {begin, end}, out));
    return CastLosses{};  // the codes say it
  };
  const Shape shape = {source->rows, source->row_bytes};
  return Weight::packed(shape, std::move(source), quantiser->weight->from(), done + ", zero points");
}

}  // namespace

QuantisedWeight quantised_in_blocks(const WeightPtr& weight, BlockFormat format) {
  FASTVLM_ASSERT((weight->shape() == Shape{weight->row_count(), weight->row_size()}), "a matrix in its own rows");
  const std::int64_t rows = weight->row_count(), blocks = format.blocks_of(weight->row_size());
  auto quantiser = std::make_shared<Quantiser>(weight, format);
  const std::string done = fmt::format("{}{}int{} in {}blocks of {}", weight->done(), weight->done().empty() ? "" : ", ", format.bits,
                                       format.shifted ? "shifted " : "", format.block);

  auto codes = std::make_shared<PackedSource>();
  codes->rows = rows, codes->row_bytes = blocks * format.block_bytes();
  codes->read = [quantiser](std::int64_t begin, std::int64_t end, std::span<std::byte> out) {
    return make_codes(*quantiser, begin, end, out);
  };

  auto scales = std::make_shared<MatrixSource>();
  scales->rows = rows, scales->columns = blocks;
  scales->read = [quantiser, blocks](std::int64_t begin, std::int64_t end, std::int64_t first, std::int64_t last, std::span<float> out) {
    FASTVLM_ASSERT(first == 0 && last == blocks, "whole rows of scales");
    return make_beside(*quantiser, quantiser->scales, &Piece::scales, {begin, end}, out);
  };
  return {.codes = Weight::packed({rows, blocks, format.block_bytes()}, std::move(codes), weight->from(), done),
          .scales = Weight::of_source({rows, blocks}, std::move(scales), weight->from(), done + ", scales"),
          .zero_points = format.shifted ? zero_points_of(quantiser, done) : nullptr};
}

}  // namespace fastvlm
