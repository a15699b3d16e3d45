// What happens to the values of a model before and while it is compiled.
#pragma once

#include "fastvlm/targets/qnn/check/op_rules.h"

namespace fastvlm::qnn {

ValueFacts value_facts_of(const OnnxIndex& index);

// A number for each extent.
bool is_closed(const OnnxType& type);

}  // namespace fastvlm::qnn
