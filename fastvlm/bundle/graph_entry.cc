#include "fastvlm/bundle/graph_entry.h"

#include <fmt/format.h>

#include <algorithm>

#include "fastvlm/bundle/names.h"

namespace fastvlm {
namespace {

std::vector<ValueEntry> values_of(const Graph& graph, const std::vector<int>& indices) {
  std::vector<ValueEntry> values;
  for (int index : indices) {
    const ValueInfo& value = graph.value(index);
    values.push_back({.name = value.name, .type = value.dtype, .shape = value.dims});
  }
  return values;
}

std::string recipe_suffix(const GraphExtents& e) { return e.recipe.empty() ? std::string() : "_" + e.recipe; }

int fewest_bits(const Graph& graph) {
  std::int64_t fewest = 0;
  for (const Node& node : graph.nodes()) {
    if (node.domain != kMicrosoftDomain || node.op != "MatMulNBits") continue;
    const std::int64_t bits = node.integer("bits");
    fewest = fewest == 0 ? bits : std::min(fewest, bits);
  }
  return static_cast<int>(fewest);
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
  for (const Node& node : graph.nodes()) ++entry.operators[node.domain.empty() ? node.op : node.domain + "::" + node.op];
  return entry;
}

}  // namespace fastvlm
