// Codes of a quantised weight, for tests.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "fastvlm/tensor/quantised_weight.h"

namespace fastvlm {

// All of them, read `step` rows at a time.
inline std::vector<std::byte> codes_of(const QuantisedWeight& q, std::int64_t step) {
  std::vector<std::byte> all;
  for (std::int64_t row = 0; row < q.codes->row_count(); row += step) {
    const std::int64_t end = std::min(row + step, q.codes->row_count());
    std::vector<std::byte> piece(static_cast<std::size_t>((end - row) * q.codes->row_size()));
    EXPECT_TRUE(q.codes->read_packed_rows(row, end, piece).ok());
    all.insert(all.end(), piece.begin(), piece.end());
  }
  return all;
}

}  // namespace fastvlm
