#include "fastvlm/ops/expand.h"

#include "fastvlm/base/model_error.h"

namespace fastvlm::ops {
namespace {

// Blocks are the business of expansions; a scale for each channel is that of who makes the activations integers.
void keep_encoding(const ValueInfo& from, Value to) {
  if (from.encoding && from.encoding->by_channel) to.graph().set_encoding(to.index(), *from.encoding);
}

Value map_value(Graph& to, const Graph& from, int index, std::vector<Value>& mapped) {
  if (index < 0) return {};
  Value& known = mapped[static_cast<std::size_t>(index)];
  if (known) return known;
  const ValueInfo& info = from.value(index);
  FASTVLM_ASSERT(info.is_constant(), "a value that no earlier node made is an initializer");
  known = info.weight != nullptr ? to.add_weight(info.weight, info.name, info.dtype) : to.add_constant(*info.constant);
  keep_encoding(info, known);
  return known;
}

std::vector<Value> copy_node(Graph& to, const Graph& from, const Node& node, std::vector<Value>& mapped) {
  std::vector<Value> inputs;
  for (int input : node.inputs) inputs.push_back(map_value(to, from, input, mapped));
  std::vector<OutputSpec> outputs;
  for (int output : node.outputs) outputs.push_back({from.value(output).dtype, from.value(output).dims});
  return to.add_node(node.domain, node.op, std::move(inputs), std::move(outputs), node.attributes);
}

}  // namespace

Value ExpansionContext::input(std::size_t i) const { return map_value(to_, from_, node_.inputs[i], mapped_); }

Value ExpansionContext::add_weight(const WeightPtr& weight, std::size_t named_after, const std::string& suffix) const {
  const ValueInfo& info = source(named_after);
  Value added = to_.add_weight(weight, info.name + suffix, info.dtype);
  keep_encoding(info, added);
  return added;
}

std::unique_ptr<Graph> expand(const Graph& graph, const ExpansionTable& table, std::vector<int>* origin, const GeluForms& gelus) {
  auto to = std::make_unique<Graph>(graph.name());
  std::vector<Value> mapped(graph.values().size());
  for (int input : graph.inputs()) {
    const ValueInfo& info = graph.value(input);
    mapped[static_cast<std::size_t>(input)] = to->add_input(info.name, info.dtype, info.dims);
  }
  for (std::size_t index = 0; index < graph.nodes().size(); ++index) {
    const Node& node = graph.nodes()[index];
    Scope scope(*to, module_of(node), /*absolute=*/true);
    std::vector<Value> results;
    if (node.domain != kSemanticDomain) {
      results = copy_node(*to, graph, node, mapped);
    } else {
      auto row = table.find(node.op);
      if (row == table.end()) model_error(node.op, module_of(node), "this target has no expansion for it");
      results = row->second(ExpansionContext(*to, graph, node, mapped, gelus));
    }
    FASTVLM_ASSERT(results.size() == node.outputs.size(), "one value for each output");
    if (origin != nullptr) origin->resize(to->nodes().size(), static_cast<int>(index));
    for (std::size_t i = 0; i < results.size(); ++i) {
      const ValueInfo& info = graph.value(node.outputs[i]);
      FASTVLM_ASSERT(results[i].dims() == info.dims, "an expansion keeps the shape");
      mapped[static_cast<std::size_t>(node.outputs[i])] = results[i];
      if (is_given_name(info.name)) to->rename(results[i], info.name);
    }
  }
  for (int output : graph.outputs()) to->add_output(mapped[static_cast<std::size_t>(output)], graph.value(output).name);
  return to;
}

}  // namespace fastvlm::ops
