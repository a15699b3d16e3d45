// What the rules table says about a whole ONNX file, ours or foreign: a verdict for each node. No SDK and no runtime is needed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fastvlm/onnx/finding.h"
#include "fastvlm/targets/qnn/check/op_rules.h"

namespace fastvlm::qnn {

// An Error for a model without nodes, and for one that is compiled already.
Result<OperatorReport> check_ops(const OnnxModel& model, const Soc& soc);

}  // namespace fastvlm::qnn
