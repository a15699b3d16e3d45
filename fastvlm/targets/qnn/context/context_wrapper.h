// The small ONNX file around a QNN context (`*_ctx.onnx`): one EPContext node that names the graph and the binary.
#pragma once

#include "fastvlm/base/files.h"
#include "fastvlm/base/result.h"
#include "fastvlm/onnx/model_file.h"
#include "fastvlm/targets/compiled_context.h"

namespace fastvlm {

// Reads a wrapper and checks that it has exactly one EPContext node of QNN, that its edges fit the graph's inputs and outputs,
// and that the binary lies beside it. The binary itself is not read (context_info.h).
Result<ContextWrapper> read_context_wrapper(const Path& onnx);

// The same for a model already read; `folder` is where the binary must lie.
Result<ContextWrapper> context_wrapper_of(const OnnxModel& model, const Path& onnx);

// Whether a model is such a wrapper at all: it has an EPContext node.
bool is_context_wrapper(const OnnxModel& model);

}  // namespace fastvlm
