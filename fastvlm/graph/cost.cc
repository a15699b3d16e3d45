#include "fastvlm/graph/cost.h"

namespace fastvlm {
namespace {

std::optional<std::int64_t> extent(const Dim& dim, const Extents& extents) {
  if (dim.is_static()) return dim.value;
  auto known = extents.find(dim.symbol);
  return known == extents.end() ? std::nullopt : std::optional(known->second);
}

// Products behind one element of the node's output; 0 for a node without any.
std::optional<std::int64_t> products(const Graph& graph, const Node& node, const Extents& extents) {
  if (node.domain == kMicrosoftDomain && node.op == "MatMulNBits") return node.integer("K");
  if (!node.domain.empty()) return 0;
  const auto dims = [&](std::size_t input) -> const Dims& { return graph.value(node.inputs[input]).dims; };
  if (node.op == "MatMul") return extent(dims(0).back(), extents);
  if (node.op == "Gemm") return extent(dims(1)[node.attributes.contains("transB") ? 1 : 0], extents);
  if (node.op != "Conv") return 0;
  std::int64_t taps = 1;  // weight [out, in / groups, height, width]
  for (std::size_t axis = 1; axis < dims(1).size(); ++axis) taps *= dims(1)[axis].value;
  return taps;
}

constexpr std::uint64_t kHalfBytes = byte_size(Dtype::kFloat16);

WeightBytes bytes_of(const ValueInfo& value) {
  const auto elements = static_cast<std::uint64_t>(element_count(value.weight->shape()));
  if (value.weight->is_packed()) return {.bytes = elements, .packed = elements};
  if (!value.encoding) return {.bytes = elements * kHalfBytes};
  const BlockFormat& blocks = value.encoding->blocks;
  const std::int64_t columns = value.weight->shape().back();
  const std::uint64_t rows = elements / static_cast<std::uint64_t>(columns);
  if (value.encoding->by_channel) {
    const std::uint64_t packed = elements * static_cast<std::uint64_t>(blocks.bits) / 8;
    return {.bytes = packed + rows * sizeof(float), .packed = packed};
  }
  const std::uint64_t codes = rows * static_cast<std::uint64_t>(blocks.row_bytes(columns));
  return {.bytes = codes + rows * static_cast<std::uint64_t>(blocks.blocks_of(columns)) * kHalfBytes, .packed = codes};
}

}  // namespace

std::optional<std::int64_t> macs(const Graph& graph, const Extents& extents) {
  std::int64_t sum = 0;
  for (const Node& node : graph.nodes()) {
    auto count = products(graph, node, extents);
    if (!count) return std::nullopt;
    if (*count == 0) continue;
    for (const Dim& dim : graph.value(node.outputs[0]).dims) {
      const auto known = extent(dim, extents);
      if (!known) return std::nullopt;
      *count *= *known;
    }
    sum += *count;
  }
  return sum;
}

std::map<std::string, WeightBytes> weight_bytes(const Graph& graph) {
  std::map<std::string, WeightBytes> bytes;
  for (const ValueInfo& value : graph.values())
    if (value.weight != nullptr) bytes[value.weight->identity()] = bytes_of(value);
  return bytes;
}

std::uint64_t total_weight_bytes(const Graph& graph) {
  std::uint64_t sum = 0;
  for (const auto& [identity, weight] : weight_bytes(graph)) sum += weight.bytes;
  return sum;
}

}  // namespace fastvlm
