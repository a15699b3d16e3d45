// Qualcomm HTP, reached through QNN.
#pragma once

#include "fastvlm/targets/target.h"

namespace fastvlm::qnn {

extern const Target kTarget;

}  // namespace fastvlm::qnn
