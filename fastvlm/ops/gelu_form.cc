#include "fastvlm/ops/gelu_form.h"

#include "fastvlm/ops/rescale.h"

namespace fastvlm::ops {
namespace {

bool is_gelu(const Node& node) { return node.domain == kSemanticDomain && node.op == "gelu"; }

// Whether the value is what a layer makes, with which the compiler can join an activation.
bool is_of_layer(const Graph& graph, int value) {
  const int producer = graph.value(value).producer;
  if (producer < 0) return false;
  const std::string& op = graph.nodes()[static_cast<std::size_t>(producer)].op;
  return op == "Conv" || op == "linear";
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

GeluChoice gelu_choice(const Graph& semantic, const Node& gelu, const GeluForms& forms) {
  const auto found = forms.of.find(module_of(gelu));
  GeluChoice choice = found == forms.of.end() ? forms.otherwise : found->second;
  if (choice.form != GeluForm::kExact && scale_of(gelu) != 1) return {.form = GeluForm::kExact, .why = "its stream is scaled"};
  if (choice.form == GeluForm::kJoined && !is_of_layer(semantic, gelu.inputs[0]))
    return {.form = GeluForm::kExact, .why = choice.why + ", and no layer is in front"};
  return choice;
}

std::vector<ChosenGelu> chosen_gelus(const Graph& semantic, const GeluForms& forms) {
  std::vector<ChosenGelu> chosen;
  for (const Node& node : semantic.nodes())
    if (is_gelu(node)) {
      GeluChoice choice = gelu_choice(semantic, node, forms);
      chosen.push_back({.name = node.name, .form = choice.form, .why = std::move(choice.why)});
    }
  return chosen;
}

}  // namespace fastvlm::ops
