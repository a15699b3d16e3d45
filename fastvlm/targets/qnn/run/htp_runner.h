// A static graph on HTP, ready to run: emulated on x86, the real NPU elsewhere.
//
// A context with shared weights crashes the x86 library when it is loaded again, so the emulation compiles each graph alone
// and keeps that context in the cache; on a device the compiled wrapper is opened as it is.
#pragma once

#include "fastvlm/targets/qnn/chips/soc_table.h"
#include "fastvlm/targets/qnn/run/remote_runner.h"

namespace fastvlm::qnn {

struct HtpRunnerRequest {
  Path program;  // fastvlm-npu, which serves as the child
  RuntimePaths runtimes;
  const Soc* soc = nullptr;
  Path graph;                  // npu/<name>.onnx
  Path wrapper;                // npu/<target>/<name>_ctx.onnx
  std::string weights_sha256;  // of the graph's external data
  Path cache_folder;           // empty: no cache
  Path log_folder;
};

// Whether this machine can only emulate.
bool is_emulated();

Result<std::unique_ptr<RemoteRunner>> open_htp_runner(const HtpRunnerRequest& request);

}  // namespace fastvlm::qnn
