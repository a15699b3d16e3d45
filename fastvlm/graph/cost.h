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

// Multiplications, each with its addition, of one run: those of Conv, Gemm and MatMul, beside which the rest does not count.
// Nothing where one of them has an extent that `extents` leaves open. Expects a graph of basic operators.
std::optional<std::int64_t> macs(const Graph& graph, const Extents& extents = {});

// Elements of the weights by identity: weights that graphs share count once when these maps are merged.
std::map<std::string, std::uint64_t> weight_elements(const Graph& graph);

// The sum of weight_elements().
std::uint64_t parameters(const Graph& graph);

}  // namespace fastvlm
