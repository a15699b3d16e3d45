#include "fastvlm/tensor/weight.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "fastvlm/base/hash.h"
#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

std::string joined(const std::string& done, const std::string& more) { return done.empty() ? more : done + ", " + more; }

std::int64_t first_extent(const Shape& shape) { return shape.empty() ? 1 : shape[0]; }

std::string hash_of(const std::string& before, std::span<const float> values) {
  return sha256_of(before + std::string(reinterpret_cast<const char*>(values.data()), values.size_bytes()));
}

// Holds the numbers of a computed weight from the first read on.
struct Memo {
  std::mutex mutex;
  std::vector<float> values;
  bool made = false;
};

void copy_rectangle(std::span<const float> values, std::int64_t columns, std::int64_t row_begin, std::int64_t row_end,
                    std::int64_t column_begin, std::int64_t column_end, std::span<float> out) {
  float* to = out.data();
  for (std::int64_t r = row_begin; r < row_end; ++r)
    to = std::copy(values.begin() + r * columns + column_begin, values.begin() + r * columns + column_end, to);
}

// out[c * stride + r] = block[r, c].  A few columns at a time keep the lines that are written in the first-level cache.
void transpose_into(std::span<const float> block, std::int64_t rows, std::int64_t columns, float* out, std::int64_t stride) {
  constexpr std::int64_t kTile = 32;
  for (std::int64_t c0 = 0; c0 < columns; c0 += kTile)
    for (std::int64_t c = c0; c < std::min(columns, c0 + kTile); ++c)
      for (std::int64_t r = 0; r < rows; ++r) out[c * stride + r] = block[static_cast<std::size_t>(r * columns + c)];
}

// Adds the update to a rectangle, in blocks so small that both factors stay in a few megabytes.
Status add_low_rank(const LowRankUpdate& update, std::int64_t r0, std::int64_t r1, std::int64_t c0, std::int64_t c1, std::span<float> out) {
  constexpr std::int64_t kBlockElements = std::int64_t{1} << 18;
  const std::int64_t rank = update.right->rows, block = std::max<std::int64_t>(1, kBlockElements / std::max<std::int64_t>(1, rank));
  thread_local std::vector<float> left, right, sum;  // kept by the thread from piece to piece
  for (std::int64_t c = c0; c < c1; c += block) {
    const std::int64_t width = std::min(block, c1 - c);
    right.resize(static_cast<std::size_t>(rank * width));
    sum.resize(static_cast<std::size_t>(width));
    TRY(update.right->read(0, rank, c, c + width, right));
    for (std::int64_t r = r0; r < r1; r += block) {
      const std::int64_t height = std::min(block, r1 - r);
      left.resize(static_cast<std::size_t>(height * rank));
      TRY(update.left->read(r, r + height, 0, rank, left));
      for (std::int64_t i = 0; i < height; ++i) {
        std::ranges::fill(sum, 0.0F);
        for (std::int64_t k = 0; k < rank; ++k) {
          const float factor = left[static_cast<std::size_t>(i * rank + k)];
          const float* row = right.data() + k * width;
          for (std::int64_t j = 0; j < width; ++j) sum[static_cast<std::size_t>(j)] += factor * row[j];
        }
        float* to = out.data() + (r - r0 + i) * (c1 - c0) + (c - c0);
        for (std::int64_t j = 0; j < width; ++j) to[j] += update.scale * sum[static_cast<std::size_t>(j)];
      }
    }
  }
  return {};
}

}  // namespace

std::shared_ptr<const MatrixSource> transposed_source(std::shared_ptr<const MatrixSource> source) {
  auto turned = std::make_shared<MatrixSource>();
  turned->rows = source->columns;
  turned->columns = source->rows;
  turned->read = [inner = std::move(source)](std::int64_t r0, std::int64_t r1, std::int64_t c0, std::int64_t c1,
                                             std::span<float> out) -> Status {
    std::vector<float> block(out.size());
    TRY(inner->read(c0, c1, r0, r1, block));
    transpose_into(block, c1 - c0, r1 - r0, out.data(), c1 - c0);
    return {};
  };
  return turned;
}

WeightPtr Weight::of_source(Shape shape, std::shared_ptr<const MatrixSource> source, std::vector<std::string> from, std::string done) {
  FASTVLM_ASSERT(element_count(shape) == source->rows * source->columns, "shape and source have as many elements");
  auto weight = std::make_shared<Weight>();
  weight->shape_ = std::move(shape);
  weight->source_ = std::move(source);
  weight->from_ = std::move(from);
  weight->done_ = std::move(done);
  return weight;
}

WeightPtr Weight::computed(Shape shape, std::function<Result<std::vector<float>>()> make, std::vector<std::string> from, std::string done) {
  auto memo = std::make_shared<Memo>();
  auto source = std::make_shared<MatrixSource>();
  source->rows = first_extent(shape);
  source->columns = source->rows == 0 ? 0 : element_count(shape) / source->rows;
  source->read = [memo, make = std::move(make), columns = source->columns, size = element_count(shape)](
                     std::int64_t r0, std::int64_t r1, std::int64_t c0, std::int64_t c1, std::span<float> out) -> Status {
    std::lock_guard lock(memo->mutex);
    if (!memo->made) {
      TRY_ASSIGN(memo->values, make());
      FASTVLM_ASSERT(static_cast<std::int64_t>(memo->values.size()) == size, "as many computed values as the shape says");
      memo->made = true;
    }
    copy_rectangle(memo->values, columns, r0, r1, c0, c1, out);
    return {};
  };
  return of_source(std::move(shape), std::move(source), std::move(from), std::move(done));
}

WeightPtr Weight::packed(Shape shape, std::shared_ptr<const PackedSource> source, std::vector<std::string> from, std::string done) {
  FASTVLM_ASSERT(element_count(shape) == source->rows * source->row_bytes, "shape and source have as many bytes");
  auto weight = std::make_shared<Weight>();
  weight->shape_ = std::move(shape);
  weight->packed_ = std::move(source);
  weight->from_ = std::move(from);
  weight->done_ = std::move(done);
  return weight;
}

WeightPtr Weight::of_values(Shape shape, std::vector<float> values, std::string done) {
  const std::string numbers = hash_of("", values);
  auto make = [values = std::move(values)]() -> Result<std::vector<float>> { return values; };
  auto weight = std::make_shared<Weight>(*computed(std::move(shape), std::move(make), {}, std::move(done)));
  weight->numbers_ = numbers;
  return weight;
}

std::string Weight::identity() const { return fmt::format("{}|{}|{}|{}", fmt::join(from_, "+"), done_, to_string(shape_), numbers_); }

WeightPtr Weight::transposed() const {
  FASTVLM_ASSERT((shape_ == Shape{row_count(), row_size()}), "a matrix to transpose, in its own rows");
  auto weight = std::make_shared<Weight>(*this);
  weight->shape_ = {shape_[1], shape_[0]};
  weight->transposed_ = !transposed_;
  weight->done_ = joined(done_, "transpose");
  return weight;
}

WeightPtr Weight::scaled_rows(std::vector<float> factors, const std::string& why) const {
  FASTVLM_ASSERT(!transposed_ && static_cast<std::int64_t>(factors.size()) == source_->rows, "one factor for each row");
  const std::string numbers = hash_of(numbers_, factors);
  auto scaled = std::make_shared<MatrixSource>(*source_);
  scaled->read = [inner = source_, factors = std::move(factors)](std::int64_t r0, std::int64_t r1, std::int64_t c0, std::int64_t c1,
                                                                 std::span<float> out) -> Status {
    TRY(inner->read(r0, r1, c0, c1, out));
    float* at = out.data();
    for (std::int64_t r = r0; r < r1; ++r)
      for (std::int64_t c = c0; c < c1; ++c) *at++ *= factors[static_cast<std::size_t>(r)];
    return {};
  };
  auto weight = std::make_shared<Weight>(*this);
  weight->source_ = std::move(scaled);
  weight->numbers_ = numbers;
  weight->done_ = joined(done_, why);
  return weight;
}

WeightPtr Weight::plus(LowRankUpdate update, const std::string& why) const {
  FASTVLM_ASSERT(!transposed_ && update.left->rows == source_->rows && update.right->columns == source_->columns &&
                     update.left->columns == update.right->rows,
                 "factors of the shape of the weight");
  auto weight = std::make_shared<Weight>(*this);
  weight->from_.insert(weight->from_.end(), update.from.begin(), update.from.end());
  weight->done_ = joined(done_, why);
  auto sum = std::make_shared<MatrixSource>(*source_);
  sum->read = [inner = source_, update = std::move(update)](std::int64_t r0, std::int64_t r1, std::int64_t c0, std::int64_t c1,
                                                            std::span<float> out) -> Status {
    TRY(inner->read(r0, r1, c0, c1, out));
    return add_low_rank(update, r0, r1, c0, c1, out);
  };
  weight->source_ = std::move(sum);
  return weight;
}

WeightPtr Weight::rows(std::int64_t begin, std::int64_t end) const {
  FASTVLM_ASSERT(!transposed_ && begin >= 0 && begin <= end && end <= source_->rows && shape_[0] == source_->rows,
                 "rows inside the tensor");
  auto part = std::make_shared<MatrixSource>();
  part->rows = end - begin;
  part->columns = source_->columns;
  part->read = [inner = source_, begin](std::int64_t r0, std::int64_t r1, std::int64_t c0, std::int64_t c1, std::span<float> out) {
    return inner->read(begin + r0, begin + r1, c0, c1, out);
  };
  auto weight = std::make_shared<Weight>(*this);
  weight->source_ = std::move(part);
  weight->shape_[0] = end - begin;
  weight->done_ = joined(done_, fmt::format("rows {}..{}", begin, end));
  return weight;
}

WeightPtr Weight::reshaped(Shape shape) const {
  FASTVLM_ASSERT(element_count(shape) == element_count(shape_), "a reshape keeps the element count");
  auto weight = std::make_shared<Weight>(*this);
  weight->shape_ = std::move(shape);
  return weight;
}

Status Weight::read_rows(std::int64_t begin, std::int64_t end, std::span<float> out) const {
  FASTVLM_ASSERT(!is_packed() && static_cast<std::int64_t>(out.size()) == (end - begin) * row_size(), "room for the rows");
  if (!transposed_) return source_->read(begin, end, 0, source_->columns, out);
  // Some rows of the source at a time, so few that they are turned while they are in the second-level cache.
  constexpr std::int64_t kBlockElements = std::int64_t{1} << 16;
  const std::int64_t width = end - begin, height = std::max<std::int64_t>(16, kBlockElements / std::max<std::int64_t>(1, width));
  // Kept by the thread from piece to piece: fresh memory would cost more in page faults than the copy itself.
  thread_local std::vector<float> buffer;
  if (buffer.size() < static_cast<std::size_t>(height * width)) buffer.resize(static_cast<std::size_t>(height * width));
  for (std::int64_t row = 0; row < source_->rows; row += height) {
    const std::int64_t rows = std::min(height, source_->rows - row);
    const auto block = std::span(buffer).first(static_cast<std::size_t>(rows * width));
    TRY(source_->read(row, row + rows, begin, end, block));
    transpose_into(block, rows, width, out.data() + row, source_->rows);
  }
  return {};
}

Result<CastLosses> Weight::read_packed_rows(std::int64_t begin, std::int64_t end, std::span<std::byte> out) const {
  FASTVLM_ASSERT(is_packed() && static_cast<std::int64_t>(out.size()) == (end - begin) * row_size(), "room for the rows");
  return packed_->read(begin, end, out);
}

Result<std::vector<float>> Weight::read_all() const {
  std::vector<float> values(static_cast<std::size_t>(element_count(shape_)));
  TRY(read_rows(0, row_count(), values));
  return values;
}

}  // namespace fastvlm
