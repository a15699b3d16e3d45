// Whether the runtimes load on this machine, tried in a child process.
#pragma once

#include <string>

#include "fastvlm/process/worker.h"
#include "fastvlm/run/runtimes.h"

namespace fastvlm::qnn {

// Loads ONNX Runtime, and the plug-in into it when `with_plugin`. Returns the version of ONNX Runtime. An Error says why it does
// not load: the loader's reason, how the child ended, a limit.
Result<std::string> try_to_load(const Path& program, const RuntimePaths& runtimes, bool with_plugin, const ProcessLimits& limits);

// The child's side.
inline constexpr const char* kLoadWorker = "__load-worker";
RequestHandler load_worker();

}  // namespace fastvlm::qnn
