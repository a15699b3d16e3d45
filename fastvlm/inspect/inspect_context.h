// QNN contexts, read in a child process because QnnSystem can crash on damaged ones.
#pragma once

#include "fastvlm/inspect/inspect.h"
#include "fastvlm/targets/qnn/context/context_info.h"

namespace fastvlm {

// The hidden verb: __context-worker CONTEXT LIBRARY.
inline constexpr const char* kContextVerb = "__context-worker";
// The child's side: prints one line that begins with a mark. Returns the exit code.
int context_worker_main(const Path& context, const Path& qnn_system_library);

// Errors: those of read_context(), no runtime, a crash of the child.
Result<ContextInfo> read_context_in_child(const InspectOptions& options, const Path& context);

}  // namespace fastvlm
