// Files that the plug-in leaves in the folder of a chip: what they are called, and the row that reads them.
#pragma once

#include "fastvlm/targets/compiled_context.h"

namespace fastvlm::qnn {

// What stands there for a graph: the wrapper, and the QNN operators that its nodes became.
inline constexpr const char* kContextWrapperEnd = "_ctx.onnx";
inline constexpr const char* kOperatorReportEnd = "_qnn_graph.json";

extern const ContextFormat kContextFormat;

}  // namespace fastvlm::qnn
