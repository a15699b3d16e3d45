// The forms that a GELU can have in a graph for an NPU. All are the same function; they cost and round differently there
// (docs/decisions/0010).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "fastvlm/graph/graph.h"

namespace fastvlm::ops {

enum class GeluForm {
  kExact,   // relu(x) + gelu(-|x|): right everywhere, four more passes
  kFast,    // a Clip in front: 0.1 % too large above 4
  kJoined,  // with nothing in front, so that the compiler joins it with the layer before: coarser between -4 and 4
};
// "exact", "fast", "joined".
std::string_view name(GeluForm form);

struct GeluChoice {
  GeluForm form = GeluForm::kExact;
  std::string why = "no ranges are known";
};

struct GeluForms {
  GeluChoice otherwise;
  std::map<std::string, GeluChoice> of;  // by module path
};

// The form of one gelu of a semantic graph. One whose stream is scaled for half precision, and one that would be joined but has no
// layer in front of it, are exact.
GeluChoice gelu_choice(const Graph& semantic, const Node& gelu, const GeluForms& forms);

struct ChosenGelu {
  std::string name;  // of the node
  GeluForm form = GeluForm::kExact;
  std::string why;
};
// Of every gelu, in the order of the graph.
std::vector<ChosenGelu> chosen_gelus(const Graph& semantic, const GeluForms& forms);

}  // namespace fastvlm::ops
