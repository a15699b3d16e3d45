// QNN contexts, read in a child process because QnnSystem can crash on damaged ones.
#pragma once

#include "fastvlm/inspect/inspect.h"
#include "fastvlm/targets/qnn/context/context_info.h"

namespace fastvlm {

// Errors: those of read_context_in_child() (targets/qnn/context/context_worker.h), no runtime.
Result<ContextInfo> read_context_in_child(const InspectOptions& options, const Path& context);

}  // namespace fastvlm
