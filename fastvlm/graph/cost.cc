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
  if (!node.domain.empty()) return 0;
  const auto dims = [&](std::size_t input) -> const Dims& { return graph.value(node.inputs[input]).dims; };
  if (node.op == "MatMul") return extent(dims(0).back(), extents);
  if (node.op == "Gemm") return extent(dims(1)[node.attributes.contains("transB") ? 1 : 0], extents);
  if (node.op != "Conv") return 0;
  std::int64_t taps = 1;  // weight [out, in / groups, height, width]
  for (std::size_t axis = 1; axis < dims(1).size(); ++axis) taps *= dims(1)[axis].value;
  return taps;
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

std::map<std::string, std::uint64_t> weight_elements(const Graph& graph) {
  std::map<std::string, std::uint64_t> elements;
  for (const ValueInfo& value : graph.values())
    if (value.weight != nullptr) elements[value.weight->identity()] = static_cast<std::uint64_t>(element_count(value.weight->shape()));
  return elements;
}

std::uint64_t parameters(const Graph& graph) {
  std::uint64_t sum = 0;
  for (const auto& [identity, elements] : weight_elements(graph)) sum += elements;
  return sum;
}

}  // namespace fastvlm
