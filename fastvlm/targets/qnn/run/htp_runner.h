// A static graph on HTP, ready to run: emulated on x86, the real NPU elsewhere.
//
// A context with shared weights crashes the x86 library when it is loaded again, so the emulation compiles each graph alone
// and keeps that context in the cache; on a device the compiled wrapper is opened as it is, and so it is here in a folder that
// has wrappers and no graphs.
#pragma once

#include "fastvlm/targets/qnn/run/qnn_session.h"
#include "fastvlm/targets/target.h"

namespace fastvlm::qnn {

// Whether this machine can only emulate.
bool is_emulated();

Result<std::unique_ptr<RemoteRunner>> open_htp_runner(const NpuRunnerRequest& request);

}  // namespace fastvlm::qnn
