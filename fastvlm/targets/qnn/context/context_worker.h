// Context binaries, read in a child process because QnnSystem can crash on damaged ones.
#pragma once

#include "fastvlm/process/worker.h"
#include "fastvlm/targets/qnn/context/context_info.h"

namespace fastvlm {

struct ContextReaderOptions {
  Path program;             // fastvlm-npu, which serves as the child
  Path qnn_system_library;  // libQnnSystem.so
  std::stop_token stop{};
};

// Errors: those of read_context(), a crash of the child.
Result<ContextInfo> read_context_in_child(const Path& context, const ContextReaderOptions& options);

// The child's side.
inline constexpr const char* kContextWorker = "__context-worker";
RequestHandler context_worker();

}  // namespace fastvlm
