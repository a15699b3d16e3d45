// A weight is a recipe until it is written: where its numbers come from and what is still owed to them (transpose, scale,
// fold). Only a writer makes it real, a few rows at a time, so memory does not grow with the model.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "fastvlm/base/result.h"
#include "fastvlm/tensor/convert.h"
#include "fastvlm/tensor/tensor.h"

namespace fastvlm {

// Numbers laid out as a row-major matrix, readable in rectangles as float32.
struct MatrixSource {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  // Fills out[(r - row_begin) * (column_end - column_begin) + (c - column_begin)]. Safe from several threads.
  std::function<Status(std::int64_t row_begin, std::int64_t row_end, std::int64_t column_begin, std::int64_t column_end,
                       std::span<float> out)>
      read;
};

// Rows of bytes that are made from something else: codes of quantised numbers.
struct PackedSource {
  std::int64_t rows = 0;
  std::int64_t row_bytes = 0;
  // Fills out with rows [row_begin, row_end); says what was no number among those that they are made of. Safe from several threads.
  std::function<Result<CastLosses>(std::int64_t row_begin, std::int64_t row_end, std::span<std::byte> out)> read;
};

// The same numbers with rows and columns exchanged.
std::shared_ptr<const MatrixSource> transposed_source(std::shared_ptr<const MatrixSource> source);

// scale · left · right, a matrix of low rank that is added to a weight.
struct LowRankUpdate {
  std::shared_ptr<const MatrixSource> left;   // [rows, rank]
  std::shared_ptr<const MatrixSource> right;  // [rank, columns]
  float scale = 1;
  std::vector<std::string> from;  // the tensors that it comes from
};

class Weight;
using WeightPtr = std::shared_ptr<const Weight>;

class Weight {
 public:
  // `shape` has rows × columns elements; `from` names the tensors of the checkpoint, `done` what was done to them.
  static WeightPtr of_source(Shape shape, std::shared_ptr<const MatrixSource> source, std::vector<std::string> from, std::string done);
  // Numbers that are computed as a whole when they are first read (small ones: fused kernels). Rows run along axis 0.
  static WeightPtr computed(Shape shape, std::function<Result<std::vector<float>>()> make, std::vector<std::string> from, std::string done);
  static WeightPtr of_values(Shape shape, std::vector<float> values, std::string done);

  // Bytes instead of numbers; `shape` counts elements of one byte.
  static WeightPtr packed(Shape shape, std::shared_ptr<const PackedSource> source, std::vector<std::string> from, std::string done);

  const Shape& shape() const { return shape_; }
  // Names of the checkpoint's tensors, as they stand in the file.
  const std::vector<std::string>& from() const { return from_; }
  // "transpose", "fold batch_norm", … in order, joined with ", "; empty for a plain copy.
  const std::string& done() const { return done_; }
  // Equal identities mean equal numbers in the same layout.
  std::string identity() const;

  // A matrix [rows, columns] seen as [columns, rows]. One that was reshaped must have its rows still.
  WeightPtr transposed() const;
  // Row r multiplied by factors[r]; rows are axis 0 (the output features of a linear or a convolution).
  WeightPtr scaled_rows(std::vector<float> factors, const std::string& why) const;
  // With a matrix of low rank added. Products are summed in float32 in the order of the rank, so that a number does not depend on
  // the piece it is read in.
  WeightPtr plus(LowRankUpdate update, const std::string& why) const;
  // Rows [begin, end) along axis 0.
  WeightPtr rows(std::int64_t begin, std::int64_t end) const;
  // The same numbers under another shape.
  WeightPtr reshaped(Shape shape) const;

  // Its rows are columns of the source, so that a piece of few rows touches all of the source.
  bool is_transposed() const { return transposed_; }
  // Read with read_packed_rows() and nothing else; cannot be transposed, scaled or cut.
  bool is_packed() const { return packed_ != nullptr; }
  // The unit of reading: the tensor is `row_count()` rows of `row_size()` elements in the order of its bytes.
  std::int64_t row_count() const { return is_packed() ? packed_->rows : transposed_ ? source_->columns : source_->rows; }
  std::int64_t row_size() const { return is_packed() ? packed_->row_bytes : transposed_ ? source_->rows : source_->columns; }
  // Rows [begin, end) as float32, out.size() == (end - begin) * row_size().
  Status read_rows(std::int64_t begin, std::int64_t end, std::span<float> out) const;
  Result<CastLosses> read_packed_rows(std::int64_t begin, std::int64_t end, std::span<std::byte> out) const;
  // The whole tensor; for small ones.
  Result<std::vector<float>> read_all() const;

 private:
  Shape shape_;
  std::shared_ptr<const MatrixSource> source_;
  std::shared_ptr<const PackedSource> packed_;
  bool transposed_ = false;
  std::vector<std::string> from_;
  std::string done_;
  std::string numbers_;  // hash of the numbers that came from the program, not from the checkpoint
};

}  // namespace fastvlm
