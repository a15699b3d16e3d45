// Files of the embedding table in codes: row by row, piece by piece, on any number of threads.
#pragma once

#include <functional>
#include <span>

#include "fastvlm/base/progress.h"
#include "fastvlm/onnx/data_writer.h"

namespace fastvlm {

// Of some numbers, and of what their codes lose of them.
struct Power {
  double signal = 0;
  double noise = 0;
};

struct TableCoding {
  std::size_t bytes = 1;  // of one code; divides kPieceBytes
  // Fills `out` with the codes of these numbers. Safe from several threads.
  std::function<Power(std::span<const float> numbers, std::span<std::byte> out)> code;
};

struct CodedTable {
  WrittenFile file;
  double sqnr_db = 0;  // decibels(sum x^2, sum (x - number of its code)^2)
};

Result<CodedTable> write_coded_table(const WeightPtr& table, const TableCoding& coding, const Path& path, const WriteOptions& options,
                                     Progress& progress);

}  // namespace fastvlm
