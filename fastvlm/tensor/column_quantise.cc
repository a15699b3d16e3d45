#include "fastvlm/tensor/column_quantise.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fastvlm/base/assert.h"
#include "fastvlm/base/try.h"
#include "fastvlm/tensor/code_rounding.h"
#include "fastvlm/tensor/pending_rows.h"

namespace fastvlm {
namespace {

constexpr float kLargestCode = 127;

std::byte code_of(float ratio) {
  const float code = std::clamp(rounded_code(ratio), -kLargestCode, kLargestCode);
  return static_cast<std::byte>(static_cast<std::int8_t>(code));
}

// A row of blocks is `block` rows of the turned weight.
struct ColumnQuantiser {
  ColumnQuantiser(WeightPtr turned, std::int64_t numbers)
      : weight(std::move(turned)), block(numbers), pending(weight->row_count() / block, weight->row_size()) {}

  const WeightPtr weight;
  const std::int64_t block;
  PendingRows<float> pending;

  std::int64_t width() const { return weight->row_size(); }
  // Rows of blocks [begin, end); no codes where there is no room for them.
  Result<CastLosses> make(std::int64_t begin, std::int64_t end, std::span<float> scales, std::span<std::byte> codes) const {
    const auto columns = static_cast<std::size_t>(width()), count = static_cast<std::size_t>(block) * columns;
    thread_local std::vector<float> numbers;
    numbers.resize(count);
    CastLosses losses;
    for (std::int64_t row = begin; row < end; ++row) {
      const auto at = static_cast<std::size_t>(row - begin);
      TRY(weight->read_rows(row * block, (row + 1) * block, numbers));
      losses.add(count_not_finite(numbers));
      const std::span<float> scale = scales.subspan(at * columns, columns);
      make_scales(numbers, scale);
      if (!codes.empty()) make_codes(numbers, scale, codes.subspan(at * count, count));
    }
    return losses;
  }

 private:
  static void make_scales(std::span<float> numbers, std::span<float> scales) {
    std::ranges::fill(scales, 0.0f);
    for (std::size_t begin = 0; begin < numbers.size(); begin += scales.size())
      for (std::size_t i = 0; i < scales.size(); ++i) {
        numbers[begin + i] = finite_or_zero(numbers[begin + i]);
        scales[i] = std::max(scales[i], std::abs(numbers[begin + i]));
      }
    for (float& scale : scales) scale /= kLargestCode;
  }
  static void make_codes(std::span<const float> numbers, std::span<const float> scales, std::span<std::byte> codes) {
    thread_local std::vector<float> inverses;
    inverses.resize(scales.size());
    std::ranges::transform(scales, inverses.begin(), [](float x) { return x == 0 ? 0.0f : 1 / x; });
    for (std::size_t begin = 0; begin < numbers.size(); begin += scales.size())
      for (std::size_t i = 0; i < scales.size(); ++i) codes[begin + i] = code_of(numbers[begin + i] * inverses[i]);
  }
};

}  // namespace

QuantisedWeight quantised_in_column_blocks(const WeightPtr& weight, std::int64_t block) {
  FASTVLM_ASSERT((weight->shape() == Shape{weight->row_count(), weight->row_size()}) && weight->row_size() % block == 0,
                 "a matrix in its own rows, of whole blocks");
  auto quantiser = std::make_shared<ColumnQuantiser>(weight->transposed(), block);
  const std::int64_t blocks = weight->row_size() / block, width = quantiser->width();
  const std::string done = fmt::format("{}{}int8 in blocks of {} along columns", weight->done(), weight->done().empty() ? "" : ", ", block);

  auto codes = std::make_shared<PackedSource>();
  codes->rows = blocks, codes->row_bytes = block * width;
  codes->read = [quantiser](std::int64_t begin, std::int64_t end, std::span<std::byte> out) -> Result<CastLosses> {
    std::vector<float> scales(static_cast<std::size_t>((end - begin) * quantiser->width()));
    TRY_ASSIGN(const CastLosses losses, quantiser->make(begin, end, scales, out));
    quantiser->pending.put(begin, scales);
    return losses;
  };
  auto scales = std::make_shared<MatrixSource>();
  scales->rows = blocks, scales->columns = width;
  scales->read = [quantiser](std::int64_t begin, std::int64_t end, std::int64_t first, std::int64_t last, std::span<float> out) -> Status {
    FASTVLM_ASSERT(first == 0 && last == quantiser->width(), "whole rows of scales");
    if (quantiser->pending.take(begin, end, out)) return {};
    TRY(quantiser->make(begin, end, out, {}));
    return {};
  };
  return {.codes = Weight::packed({blocks * block, width}, std::move(codes), weight->from(), done),
          .scales = Weight::of_source({blocks, width}, std::move(scales), weight->from(), done + ", scales")};
}

}  // namespace fastvlm
