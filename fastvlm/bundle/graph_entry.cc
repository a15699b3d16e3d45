#include "fastvlm/bundle/graph_entry.h"

#include <fmt/format.h>

#include <algorithm>

#include "fastvlm/bundle/names.h"

namespace fastvlm {
namespace {

bool is_op(const Node& node, std::string_view op) { return node.domain.empty() && node.op == op; }

std::int32_t first_code(const Tensor& tensor) {
  return tensor.dtype == Dtype::kUint8 ? static_cast<std::int32_t>(tensor.bytes[0])
                                       : static_cast<std::int32_t>(tensor.as<std::uint16_t>(Dtype::kUint16)[0]);
}

// Scale and zero point of codes, as the QuantizeLinear has them that makes them or the first DequantizeLinear that reads them.
std::optional<Encoding> encoding_of(const Graph& graph, int value) {
  const ValueInfo& info = graph.value(value);
  if (info.dtype != Dtype::kUint8 && info.dtype != Dtype::kUint16) return std::nullopt;
  for (const Node& node : graph.nodes()) {
    const bool reads = is_op(node, "DequantizeLinear") && node.inputs[0] == value;
    if (!reads && !(is_op(node, "QuantizeLinear") && node.outputs[0] == value)) continue;
    const auto &scale = graph.value(node.inputs[1]).constant, &zero = graph.value(node.inputs[2]).constant;
    if (scale && zero) return Encoding{.dtype = info.dtype, .scale = scale->floats()[0], .zero_point = first_code(*zero)};
  }
  return std::nullopt;
}

std::vector<ValueEntry> values_of(const Graph& graph, const std::vector<int>& indices) {
  std::vector<ValueEntry> values;
  for (int index : indices) {
    const ValueInfo& value = graph.value(index);
    values.push_back({.name = value.name, .type = value.dtype, .shape = value.dims, .encoding = encoding_of(graph, index)});
  }
  return values;
}

std::string recipe_suffix(const GraphExtents& e) { return e.recipe.empty() ? std::string() : "_" + e.recipe; }

// Of the matrix that the node reads as integers; 0: it reads none. Vectors beside activations do not count.
std::int64_t weight_bits_of(const Graph& graph, const Node& node) {
  if (node.domain == kMicrosoftDomain && node.op == "MatMulNBits") return node.integer("bits");
  if (!node.domain.empty() || node.op != "DequantizeLinear") return 0;
  const ValueInfo& codes = graph.value(node.inputs[0]);
  return codes.weight != nullptr && codes.weight->is_packed() ? static_cast<std::int64_t>(8 * byte_size(codes.dtype)) : 0;
}

int fewest_bits(const Graph& graph) {
  std::int64_t fewest = 0;
  for (const Node& node : graph.nodes())
    if (const std::int64_t bits = weight_bits_of(graph, node); bits > 0) fewest = fewest == 0 ? bits : std::min(fewest, bits);
  return static_cast<int>(fewest);
}

// An operator on floats that were not integers before.
bool computes_floats(const Graph& graph, const Node& node) {
  if (is_op(node, "QuantizeLinear") || is_op(node, "DequantizeLinear")) return false;
  return std::ranges::any_of(node.inputs, [&](int input) {
    if (input < 0 || !is_float(graph.value(input).dtype)) return false;
    const int producer = graph.value(input).producer;
    return producer < 0 || !is_op(graph.nodes()[static_cast<std::size_t>(producer)], "DequantizeLinear");
  });
}

// What a chip must be able to do for it: int16 are second factors of products of two activations.
Activations activations_of(const Graph& graph) {
  const std::vector<Node>& nodes = graph.nodes();
  auto has_int16 = [&](int value) { return value >= 0 && graph.value(value).dtype == Dtype::kInt16; };
  if (std::ranges::none_of(nodes, [](const Node& n) { return is_op(n, "QuantizeLinear"); })) return Activations::kFloat;
  if (std::ranges::any_of(nodes, [&](const Node& n) { return has_int16(n.outputs[0]); })) return Activations::kInt16;
  const bool floats = std::ranges::any_of(nodes, [&](const Node& n) { return computes_floats(graph, n); });
  return floats ? Activations::kInt16Int8 : Activations::kWhole;
}

std::string part_suffix(const GraphExtents& e) { return e.parts == 1 ? std::string() : fmt::format("_part_{}_of_{}", e.part, e.parts); }

}  // namespace

std::string graph_name(GraphRole role, const GraphExtents& e) {
  switch (role) {
    case GraphRole::kVisionEncoder: return kVisionEncoderName;
    case GraphRole::kDecoderWithProjection: return kDecoderName;
    case GraphRole::kTokenEmbedder: return kTokenEmbedderName;
    case GraphRole::kVision: return fmt::format("vision_{}{}", e.image_size, recipe_suffix(e));
    case GraphRole::kDecoder: return fmt::format("decoder_ar{}_cl{}{}{}", e.new_tokens, e.context, recipe_suffix(e), part_suffix(e));
    case GraphRole::kFused: return fmt::format("fused_v{}_t{}{}", e.vision_tokens, e.text_tokens, recipe_suffix(e));
  }
  return {};
}

std::string group_name(GraphRole role, const GraphExtents& e) {
  switch (role) {
    case GraphRole::kVision: return "vision" + recipe_suffix(e);
    case GraphRole::kDecoder: return "decoder" + recipe_suffix(e) + part_suffix(e);
    case GraphRole::kFused: return graph_name(role, e);
    default: return {};
  }
}

GraphEntry graph_entry(const Graph& graph, GraphRole role, const GraphExtents& extents, Dtype precision) {
  GraphEntry entry{.name = graph.name(),
                   .file = graph_file(graph.name(), is_static(role)),
                   .role = role,
                   .precision = std::string(name(precision)),
                   .extents = extents,
                   .inputs = values_of(graph, graph.inputs()),
                   .outputs = values_of(graph, graph.outputs()),
                   .nodes = static_cast<std::int64_t>(graph.nodes().size()),
                   .group = group_name(role, extents)};
  entry.weight_bits = fewest_bits(graph);
  entry.activations = activations_of(graph);
  for (const Node& node : graph.nodes()) ++entry.operators[node.domain.empty() ? node.op : node.domain + "::" + node.op];
  return entry;
}

}  // namespace fastvlm
