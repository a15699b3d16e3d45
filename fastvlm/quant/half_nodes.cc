#include "fastvlm/quant/half_nodes.h"

#include <algorithm>
#include <map>
#include <string>

#include "fastvlm/quant/vision_module.h"

namespace fastvlm {
namespace {

constexpr std::string_view kInBlocks = "MatMulNBits";

struct Piece {
  bool weights = false, integers = false;
};

bool is_integer(const Node& node, const ValueInfo& weight) { return weight.encoding.has_value() || node.op == kInBlocks; }

}  // namespace

const ValueInfo* weight_of_product(const Graph& graph, const Node& node) {
  static constexpr std::string_view kProducts[] = {"Conv", "MatMul", "Gemm", kInBlocks};
  if (std::ranges::find(kProducts, node.op) == std::end(kProducts)) return nullptr;
  const ValueInfo& weight = graph.value(node.inputs[1]);
  return weight.weight == nullptr ? nullptr : &weight;
}

std::vector<bool> half_nodes(const Graph& graph) {
  std::map<std::string, Piece> pieces;
  for (const Node& node : graph.nodes())
    if (const ValueInfo* weight = weight_of_product(graph, node)) {
      Piece& piece = pieces[vision_module(module_of(node))];
      piece.weights = true, piece.integers = piece.integers || is_integer(node, *weight);
    }
  std::vector<bool> half;
  for (const Node& node : graph.nodes()) {
    const std::string module = vision_module(module_of(node));
    const Piece piece = module.empty() ? Piece() : pieces[module];
    const ValueInfo* weight = weight_of_product(graph, node);
    half.push_back(piece.weights && (!piece.integers || (weight != nullptr && !is_integer(node, *weight))));
  }
  return half;
}

}  // namespace fastvlm
