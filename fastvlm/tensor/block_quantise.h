// Numbers in blocks that share a scale, as MatMulNBits of ONNX Runtime stores them: symmetric codes of 4 or 8 bits with the zero
// at half of their range, two 4-bit codes in a byte with the first in the low half.
#pragma once

#include <cstdint>
#include <span>

namespace fastvlm {

struct BlockFormat {
  int bits = 8;             // 4 or 8
  std::int64_t block = 64;  // numbers along the row that share a scale; a power of two, at least 16
  bool operator==(const BlockFormat&) const = default;

  std::int64_t blocks_of(std::int64_t columns) const { return (columns + block - 1) / block; }
  std::int64_t block_bytes() const { return block * bits / 8; }
  std::int64_t row_bytes(std::int64_t columns) const { return blocks_of(columns) * block_bytes(); }
};

// The scale of one block: a half-precision number, so that an NPU that computes in half precision uses the same one.
// 8 bits: largest magnitude over 127. 4 bits: of a few such scales the one with the smallest sum of squared errors.
// Zero for a block of zeros; NaN and infinity count as zero.
float block_scale(std::span<const float> values, int bits);

// rows: [n, columns] -> scales [n, blocks_of(columns)], codes [n, row_bytes(columns)]. A last block that is not full is filled
// with zeros. Rounds half to even; the result does not depend on the machine.
void quantise_blocks(std::span<const float> rows, std::int64_t columns, BlockFormat format, std::span<float> scales,
                     std::span<std::byte> codes);

// The other way, for reports and tests: out has as many numbers as the rows had.
void dequantise_blocks(std::span<const float> scales, std::span<const std::byte> codes, std::int64_t columns, BlockFormat format,
                       std::span<float> out);

}  // namespace fastvlm
