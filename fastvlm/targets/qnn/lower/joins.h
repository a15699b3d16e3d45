// Which nodes the HTP backend joins into one.
#pragma once

#include <string>

#include "fastvlm/onnx/model_index.h"

namespace fastvlm::qnn {

// Whether the value lies between the nodes of a GELU chain (Div, Erf, Add, Mul, Mul), which becomes one node. A probe inside
// would take the chain apart, and a lone Erf is refused.
bool is_inside_gelu(const OnnxIndex& index, const std::string& value);

}  // namespace fastvlm::qnn
