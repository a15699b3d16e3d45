// The forms that a GELU can have in a graph for an NPU. All are the same function; they cost and round differently there (docs/decisions/
// 0010).
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "fastvlm/graph/graph.h"

namespace fastvlm::ops {

enum class GeluForm {
  kExact,   // relu(x) + gelu(-|x|): right everywhere, four more passes
  kFast,    // a Clip in front: 0.1 % too large above 4
  kJoined,  // with nothing in front, so that the compiler joins it with the layer before: coarser between -4 and 1
};
// "exact", "fast", "joined".
std::string_view name(GeluForm form);

struct GeluForms {
  GeluForm otherwise = GeluForm::kExact;
  std::map<std::string, GeluForm> of;  // by the name of the input
  bool empty() const { return otherwise == GeluForm::kExact && of.empty(); }
};

// Notes on every gelu of a semantic graph which form it shall have. One that has no layer in front of it is not joined but exact.
void choose_gelu_forms(Graph& graph, const GeluForms& forms);

// What was noted.
GeluForm form_of(const Node& gelu);

// How many there are of each form in a graph that was expanded for an NPU.
std::map<std::string, std::int64_t> count_gelus(const Graph& expanded);

}  // namespace fastvlm::ops
