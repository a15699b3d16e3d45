// What ONNX Runtime is told about the operator of run/watcher.h: float32 of any shape -> the same, in the same memory where nothing else
// reads it, so that watched values go as early as others do.
#pragma once

#include <memory>

#include "fastvlm/run/watcher.h"

struct OrtCustomOpDomain;  // of the C interface of ONNX Runtime

namespace fastvlm {

// A domain for the options of a session, which it must outlive. The interface of ONNX Runtime is loaded.
std::shared_ptr<OrtCustomOpDomain> watch_domain(const Watcher& watcher);

}  // namespace fastvlm
