#include "fastvlm/tensor/quantised_weight.h"

#include <fmt/format.h>

#include <algorithm>

#include "fastvlm/base/try.h"
#include "fastvlm/tensor/pending_scales.h"

namespace fastvlm {
namespace {

constexpr std::int64_t kNumbersAtOnce = std::int64_t{1} << 20;

struct Quantiser {
  Quantiser(WeightPtr source, BlockFormat blocks_format)
      : weight(std::move(source)), format(blocks_format), pending(weight->row_count(), format.blocks_of(weight->row_size())) {}

  const WeightPtr weight;
  const BlockFormat format;
  PendingScales pending;

  std::int64_t blocks() const { return format.blocks_of(weight->row_size()); }
  Status make(std::int64_t begin, std::int64_t end, std::span<float> scales, std::span<std::byte> codes) const {
    thread_local std::vector<float> rows;
    rows.resize(static_cast<std::size_t>((end - begin) * weight->row_size()));
    TRY(weight->read_rows(begin, end, rows));
    quantise_blocks(rows, weight->row_size(), format, scales, codes);
    return {};
  }
};

Status make_codes(Quantiser& quantiser, std::int64_t begin, std::int64_t end, std::span<std::byte> out) {
  thread_local std::vector<float> scales;
  scales.resize(static_cast<std::size_t>((end - begin) * quantiser.blocks()));
  TRY(quantiser.make(begin, end, scales, out));
  quantiser.pending.put(begin, scales);
  return {};
}

// Rows of scales are short, so that a piece of them may stand for a whole matrix: a few rows at a time.
Status make_scales(Quantiser& quantiser, std::int64_t begin, std::int64_t end, std::span<float> out) {
  if (quantiser.pending.take(begin, end, out)) return {};
  const std::int64_t columns = quantiser.weight->row_size(), step = std::max<std::int64_t>(1, kNumbersAtOnce / columns);
  std::vector<std::byte> codes;
  for (std::int64_t row = begin; row < end; row += step) {
    const std::int64_t last = std::min(row + step, end);
    codes.resize(static_cast<std::size_t>((last - row) * quantiser.format.row_bytes(columns)));
    const auto scales = out.subspan(static_cast<std::size_t>((row - begin) * quantiser.blocks()),
                                    static_cast<std::size_t>((last - row) * quantiser.blocks()));
    TRY(quantiser.make(row, last, scales, codes));
  }
  return {};
}

}  // namespace

QuantisedWeight quantised_in_blocks(const WeightPtr& weight, BlockFormat format) {
  FASTVLM_ASSERT((weight->shape() == Shape{weight->row_count(), weight->row_size()}), "a matrix in its own rows");
  const std::int64_t rows = weight->row_count(), blocks = format.blocks_of(weight->row_size());
  auto quantiser = std::make_shared<Quantiser>(weight, format);
  const std::string done =
      fmt::format("{}{}int{} in blocks of {}", weight->done(), weight->done().empty() ? "" : ", ", format.bits, format.block);

  auto codes = std::make_shared<PackedSource>();
  codes->rows = rows, codes->row_bytes = blocks * format.block_bytes();
  codes->read = [quantiser](std::int64_t begin, std::int64_t end, std::span<std::byte> out) {
    return make_codes(*quantiser, begin, end, out);
  };

  auto scales = std::make_shared<MatrixSource>();
  scales->rows = rows, scales->columns = blocks;
  scales->read = [quantiser, blocks](std::int64_t begin, std::int64_t end, std::int64_t first, std::int64_t last, std::span<float> out) {
    FASTVLM_ASSERT(first == 0 && last == blocks, "whole rows of scales");
    return make_scales(*quantiser, begin, end, out);
  };
  return {.codes = Weight::packed({rows, blocks, format.block_bytes()}, std::move(codes), weight->from(), done),
          .scales = Weight::of_source({rows, blocks}, std::move(scales), weight->from(), done + ", scales")};
}

}  // namespace fastvlm
