// What a graph costs, counted from its nodes and weights, so that no page has to say it again.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "fastvlm/graph/graph.h"

namespace fastvlm {

// Numbers for the symbols of a graph, such as {"batch_size", 1}.
using Extents = std::map<std::string, std::int64_t>;

// Multiplications, each with its addition, of one run: those of Conv, Gemm, MatMul and MatMulNBits, beside which the rest does not count.
// Nothing where one of them has an extent that `extents` leaves open. Expects a graph of basic operators.
std::optional<std::int64_t> macs(const Graph& graph, const Extents& extents = {});

struct WeightBytes {
  std::uint64_t bytes = 0;
  std::uint64_t packed = 0;  // of these, in integers
};

// What an NPU keeps of each weight, by identity: half precision, or the codes and scales of its encoding. Weights that graphs share
// count once when these maps are merged.
std::map<std::string, WeightBytes> weight_bytes(const Graph& graph);

// The sum over weight_bytes().
std::uint64_t total_weight_bytes(const Graph& graph);

}  // namespace fastvlm
