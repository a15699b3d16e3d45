// The bytes of a quantised weight, for tests.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "fastvlm/tensor/quantised_weight.h"

namespace fastvlm {

// All of them, read `step` rows at a time.
inline std::vector<std::byte> packed_rows_of(const Weight& weight, std::int64_t step) {
  std::vector<std::byte> all;
  for (std::int64_t row = 0; row < weight.row_count(); row += step) {
    const std::int64_t end = std::min(row + step, weight.row_count());
    std::vector<std::byte> piece(static_cast<std::size_t>((end - row) * weight.row_size()));
    EXPECT_TRUE(weight.read_packed_rows(row, end, piece).ok());
    all.insert(all.end(), piece.begin(), piece.end());
  }
  return all;
}

inline std::vector<std::byte> codes_of(const QuantisedWeight& q, std::int64_t step) { return packed_rows_of(*q.codes, step); }

inline std::vector<std::byte> zero_points_of(const QuantisedWeight& q, std::int64_t step) {
  return q.zero_points == nullptr ? std::vector<std::byte>{} : packed_rows_of(*q.zero_points, step);
}

}  // namespace fastvlm
