// Numbers in blocks that share a scale, as MatMulNBits of ONNX Runtime stores them: codes of 4 or 8 bits with the zero at half of
// their range, or, with 4 bits, where each block says; two 4-bit codes in a byte with the first in the low half.
#pragma once

#include <cstdint>
#include <span>

namespace fastvlm {

struct BlockFormat {
  int bits = 8;             // 4 or 8
  std::int64_t block = 64;  // numbers along the row that share a scale; a power of two, at least 16
  bool shifted = false;     // 4 bits only: each block has a zero point of its own, so that its codes reach from its smallest to its largest
  bool operator==(const BlockFormat&) const = default;

  std::int64_t blocks_of(std::int64_t columns) const { return (columns + block - 1) / block; }
  std::int64_t block_bytes() const { return block * bits / 8; }
  std::int64_t row_bytes(std::int64_t columns) const { return blocks_of(columns) * block_bytes(); }
  // Two in a byte, the first in the low half.
  std::int64_t zero_point_bytes(std::int64_t columns) const { return shifted ? (blocks_of(columns) + 1) / 2 : 0; }
};

// Where the quantised numbers of n rows go.
struct BlockNumbers {
  std::span<float> scales;           // [n, blocks_of(columns)]
  std::span<std::byte> codes;        // [n, row_bytes(columns)]
  std::span<std::byte> zero_points;  // [n, zero_point_bytes(columns)]
};

// Where they come from.
struct BlockNumbersRead {
  std::span<const float> scales;
  std::span<const std::byte> codes;
  std::span<const std::byte> zero_points = {};
};

// The scale of one block: a half-precision number, so that an NPU that computes in half precision uses the same one.
// 8 bits: largest magnitude over 127. 4 bits: of a few such scales the one with the smallest sum of squared errors.
// Zero for a block of zeros; NaN and infinity count as zero.
float block_scale(std::span<const float> values, int bits);

// rows: [n, columns] -> out. A last block that is not full is filled with zeros. A block with a zero point has the scale that
// reaches from its smallest number, or zero, to its largest: nothing is clipped. Rounds half to even; the result does not depend
// on the machine.
void quantise_blocks(std::span<const float> rows, std::int64_t columns, BlockFormat format, const BlockNumbers& out);

// The other way, for reports and tests: out has as many numbers as the rows had.
void dequantise_blocks(const BlockNumbersRead& numbers, std::int64_t columns, BlockFormat format, std::span<float> out);

}  // namespace fastvlm
