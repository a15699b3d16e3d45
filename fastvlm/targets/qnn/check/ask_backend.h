// What the real backend says about an ONNX file, beside our own rules.
#pragma once

#include "fastvlm/targets/target.h"

namespace fastvlm::qnn {

// Compiles the model for its chip in a child process and throws the result away.
Result<CompilerAnswer> ask_backend(const CompilerQuestion& question);

}  // namespace fastvlm::qnn
