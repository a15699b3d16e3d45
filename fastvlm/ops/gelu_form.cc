#include "fastvlm/ops/gelu_form.h"

namespace fastvlm::ops {
namespace {

constexpr const char* kAttribute = "form";

const Node* producer(const Graph& graph, int value) {
  const int node = value < 0 ? -1 : graph.value(value).producer;
  return node < 0 ? nullptr : &graph.nodes()[static_cast<std::size_t>(node)];
}

bool is_layer(const Node* node) { return node != nullptr && (node->op == "Conv" || node->op == "linear"); }

// Of the GELU around this Erf: what is in front of its Div.
GeluForm form_around(const Graph& graph, const Node& erf) {
  const Node* div = producer(graph, erf.inputs[0]);
  const Node* front = div == nullptr ? nullptr : producer(graph, div->inputs[0]);
  // A scaled one has a Clip and a Mul behind the Neg.
  const Node* node = front;
  for (int step = 0; step < 3 && node != nullptr; ++step, node = producer(graph, node->inputs[0]))
    if (node->op == "Neg") return GeluForm::kExact;
  return front != nullptr && front->op == "Clip" ? GeluForm::kFast : GeluForm::kJoined;
}

}  // namespace

std::string_view name(GeluForm form) {
  switch (form) {
    case GeluForm::kExact: return "exact";
    case GeluForm::kFast: return "fast";
    case GeluForm::kJoined: return "joined";
  }
  return {};
}

void choose_gelu_forms(Graph& graph, const GeluForms& forms) {
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.nodes()[i];
    if (node.domain != kSemanticDomain || node.op != "gelu") continue;
    auto chosen = forms.of.find(graph.value(node.inputs[0]).name);
    // A linear layer is another operator in the graph that was measured, where the exact form begins with the size of its input.
    if (chosen == forms.of.end()) chosen = forms.of.find(module_of(node) + "/Abs:0");
    GeluForm form = chosen == forms.of.end() ? forms.otherwise : chosen->second;
    if (form == GeluForm::kJoined && !is_layer(producer(graph, node.inputs[0]))) form = GeluForm::kExact;
    graph.set_attribute(static_cast<int>(i), kAttribute, static_cast<std::int64_t>(form));
  }
}

GeluForm form_of(const Node& gelu) {
  return gelu.attributes.contains(kAttribute) ? static_cast<GeluForm>(gelu.integer(kAttribute)) : GeluForm::kExact;
}

std::map<std::string, std::int64_t> count_gelus(const Graph& expanded) {
  std::map<std::string, std::int64_t> counts;
  for (const Node& node : expanded.nodes())
    if (node.op == "Erf") ++counts[std::string(name(form_around(expanded, node)))];
  return counts;
}

}  // namespace fastvlm::ops
