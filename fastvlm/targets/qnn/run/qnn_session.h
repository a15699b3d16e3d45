// A session on HTP in a child process.
#pragma once

#include "fastvlm/run/remote_runner.h"
#include "fastvlm/run/runtimes.h"

namespace fastvlm::qnn {

struct QnnSessionRequest {
  Path program;  // fastvlm-npu, which serves as the child
  RuntimePaths runtimes;
  int soc_model = 0;  // 0: ONNX Runtime's CPU
  Path model;         // a static graph (compiled when opened) or the wrapper of a context that was compiled alone
  Path context;       // also write the compiled context here; empty: no
  Path log_folder;    // where the child's output goes
};

Result<std::unique_ptr<RemoteRunner>> open_in_child(const QnnSessionRequest& request);

// The child's side.
inline constexpr const char* kSessionWorker = "__session-worker";
RequestHandler session_worker();

}  // namespace fastvlm::qnn
