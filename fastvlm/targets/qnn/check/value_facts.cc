#include "fastvlm/targets/qnn/check/value_facts.h"

#include <algorithm>

namespace fastvlm::qnn {
namespace {

bool is_random(const OnnxNode& node) { return node.op.starts_with("Random") || node.op == "Bernoulli" || node.op == "Multinomial"; }
bool has_subgraph(const OnnxNode& node) {
  return std::any_of(node.attributes.begin(), node.attributes.end(),
                     [](const auto& attribute) { return std::holds_alternative<OnnxGraphAttribute>(attribute.second); });
}

bool is_closed_value(const OnnxModel& model, const std::string& value) {
  const OnnxType* type = model.type_of(value);
  return type != nullptr && is_closed(*type);
}

// From constants alone, and shapes that are known: ONNX Runtime computes those before the backend sees the graph.
bool is_folded(const OnnxNode& node, const OnnxIndex& index, const ValueFacts& facts) {
  if (node.op == "Constant" || is_random(node) || has_subgraph(node) || !node.domain.empty() || node.op == "DequantizeLinear") return false;
  if (node.op == "Shape" && !node.inputs.empty() && is_closed_value(index.model(), node.inputs[0])) return true;
  return std::all_of(node.inputs.begin(), node.inputs.end(),
                     [&](const std::string& input) { return input.empty() || index.is_constant(input) || facts.folded.contains(input); });
}

}  // namespace

bool is_closed(const OnnxType& type) { return type.has_shape && static_shape(type.dims).has_value(); }

ValueFacts value_facts_of(const OnnxIndex& index) {
  ValueFacts facts;
  const OnnxModel& model = index.model();
  for (const OnnxValue& input : model.inputs)
    if (!is_closed(input.type)) facts.open.insert(input.name);
  for (const OnnxNode& node : model.nodes) {
    if (is_folded(node, index, facts)) {
      facts.folded.insert(node.outputs.begin(), node.outputs.end());
      continue;
    }
    const bool open = std::any_of(node.inputs.begin(), node.inputs.end(), [&](const std::string& i) { return facts.open.contains(i); });
    for (const std::string& output : node.outputs)
      if (!is_closed_value(model, output) && !index.is_constant(output)) (open ? facts.open : facts.unknown).insert(output);
  }
  for (auto* set : {&facts.folded, &facts.open, &facts.unknown}) set->erase("");
  return facts;
}

}  // namespace fastvlm::qnn
