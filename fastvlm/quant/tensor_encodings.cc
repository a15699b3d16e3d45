#include "fastvlm/quant/tensor_encodings.h"

#include <map>
#include <set>

#include "fastvlm/quant/ranges.h"
#include "fastvlm/tensor/dtype.h"

namespace fastvlm {
namespace {

constexpr std::string_view kCodes = ":codes", kScales = ":scales";

// The float values that a graph takes, makes or reads as weights, each once, in the order of the nodes. Constants of operators (the
// bounds of a Clip) are none.
std::vector<int> tensors_of(const Graph& graph) {
  std::vector<int> tensors;
  std::vector<bool> seen(graph.values().size());
  auto add = [&](int value) {
    if (value < 0 || seen[static_cast<std::size_t>(value)]) return;
    seen[static_cast<std::size_t>(value)] = true;
    const ValueInfo& info = graph.value(value);
    if (is_float(info.dtype) && !info.constant) tensors.push_back(value);
  };
  for (int input : graph.inputs()) add(input);
  for (const Node& node : graph.nodes()) {
    for (int input : node.inputs) add(input);
    for (int output : node.outputs) add(output);
  }
  return tensors;
}

// A Gemm has its weight as [out, in], all others as [in, out].
std::map<std::string, std::int64_t> channel_axes(const Graph& graph) {
  std::map<std::string, std::int64_t> axes;
  for (const Node& node : graph.nodes())
    if (node.inputs.size() > 1 && node.inputs[1] >= 0) axes.emplace(graph.value(node.inputs[1]).name, node.op == "Gemm" ? 0 : 1);
  return axes;
}

std::map<std::string, ScaleTable> block_tables(const std::vector<const Graph*>& graphs) {
  std::map<std::string, ScaleTable> tables;
  for (const Graph* graph : graphs)
    for (const Node& node : graph->nodes()) {
      if (node.domain != kMicrosoftDomain || node.op != "MatMulNBits") continue;
      const std::string& codes = graph->value(node.inputs[1]).name;
      tables.emplace(codes.substr(0, codes.size() - kCodes.size()), ScaleTable{.scales = graph->value(node.inputs[2]).weight,
                                                                               .bits = static_cast<int>(node.integer("bits")),
                                                                               .block = node.integer("block_size")});
    }
  return tables;
}

}  // namespace

std::vector<TensorEncoding> block_encodings(const std::vector<const Graph*>& floats, const std::vector<const Graph*>& quantised) {
  const auto tables = block_tables(quantised);
  std::set<std::string> names;
  std::vector<TensorEncoding> encodings;
  for (const Graph* graph : floats) {
    const auto axes = channel_axes(*graph);
    for (int value : tensors_of(*graph)) {
      const ValueInfo& info = graph->value(value);
      if (!names.insert(info.name).second) continue;
      TensorEncoding encoding{.name = info.name, .parameter = info.is_constant()};
      if (const auto table = tables.find(info.name); table != tables.end()) {
        encoding.table = table->second;
        encoding.table->axis = axes.at(info.name);
      }
      encodings.push_back(std::move(encoding));
    }
  }
  return encodings;
}

std::vector<TensorEncoding> encodings_of(const Graph& floats, const NotedEncodings& noted) {
  std::vector<TensorEncoding> encodings;
  const auto blocks = block_tables({&floats});
  for (int value : tensors_of(floats)) {
    const ValueInfo& info = floats.value(value);
    if (info.name.ends_with(kScales)) {
      const std::string weight = info.name.substr(0, info.name.size() - kScales.size());
      encodings.push_back({.name = weight, .parameter = true, .table = blocks.at(weight)});
      encodings.back().table->axis = 1;
      continue;
    }
    const Node* producer = info.producer < 0 ? nullptr : &floats.nodes()[static_cast<std::size_t>(info.producer)];
    const bool in_blocks = producer != nullptr && producer->op == "MatMulNBits";
    encodings.push_back({.name = in_blocks ? range_key(producer->op, info.name).value() : info.name,
                         .parameter = info.is_constant(),
                         .whole = noted.whole[static_cast<std::size_t>(value)],
                         .table = noted.tables[static_cast<std::size_t>(value)]});
  }
  return encodings;
}

}  // namespace fastvlm
