// Local functions of a model, written out where they are called. For the .cc files of this folder.
#pragma once

#include "fastvlm/base/result.h"

namespace onnx {
class ModelProto;
}

namespace fastvlm {

// Runtimes do the same before they look at the operators. Errors: functions that call each other in a circle, or grow past all measure.
Status inline_functions(onnx::ModelProto& model);

}  // namespace fastvlm
