// What the real backend says about an ONNX file, beside our own rules.
#pragma once

#include "fastvlm/targets/target.h"

namespace fastvlm::qnn {

// Compiles request.graph for its chip in a child process and throws the result away.
Result<CompilerAnswer> ask_backend(const NpuRunnerRequest& request);

}  // namespace fastvlm::qnn
