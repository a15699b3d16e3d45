// What is wrong with a model as a whole, whatever its nodes.
#pragma once

#include <vector>

#include "fastvlm/onnx/finding.h"
#include "fastvlm/targets/qnn/check/op_rules.h"

namespace fastvlm::qnn {

std::vector<Finding> check_whole_model(const OnnxIndex& index, const Soc& soc, const ValueFacts& facts);

}  // namespace fastvlm::qnn
