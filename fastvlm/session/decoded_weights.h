// Graphs whose weights are integers, quick on the CPU. ONNX Runtime has no kernel for MatMulNBits of 8 bits with float activations, nor
// for most products of a DequantizeLinear, and decodes these weights anew in every run: most of a token's time.
#pragma once

#include <cstdint>

#include "fastvlm/session/output_folder.h"

namespace fastvlm {

struct DecodedWeightsOptions {
  unsigned threads = 0;  // 0: one per core
  // Bytes that the numbers of one graph may take; 0: half of the memory that is available when it is opened.
  std::uint64_t memory = 0;
  // How to open a graph that keeps weights of 4 bits, for which there is a kernel where weights are rearranged; empty: as the others.
  OpenGraph open_four_bits = nullptr;
};

// Opens what `open` opens. Weights that are stored in 8 bits are decoded once, to the same numbers in float32: four bytes for each, held
// once for all runners that are open at a time. A graph for which that is too much memory is opened as it is. Runners look the same.
OpenGraph with_decoded_weights(OpenGraph open, const DecodedWeightsOptions& options = {});

}  // namespace fastvlm
