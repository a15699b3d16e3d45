// embedding_int8_lut.bin: the embedding table as int8, symmetric, one scale for the whole table: scale = max|x| / 127,
// q = round_half_even(x / scale).
#pragma once

#include "fastvlm/export/embedding_table.h"

namespace fastvlm {

struct Int8Table {
  WrittenFile file;
  double scale = 0;  // x = q * scale
  double sqnr_db = 0;
};

// Reads the table twice, piece by piece.
Result<Int8Table> write_int8_table(const WeightPtr& table, const Path& path, const WriteOptions& options, Progress& progress);

}  // namespace fastvlm
