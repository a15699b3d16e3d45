// What the real backend says about an ONNX file, beside our own rules.
#pragma once

#include "fastvlm/run/runtimes.h"
#include "fastvlm/targets/qnn/chips/soc_table.h"
#include "fastvlm/targets/qnn/context/profile_report.h"

namespace fastvlm::qnn {

struct BackendAnswer {
  bool accepted = false;
  std::string sentence;              // why not
  std::vector<RefusedNode> refused;  // by node, as far as it said
};

// Compiles the file for `soc` in a child process and throws the result away.
Result<BackendAnswer> ask_backend(const Path& program, const RuntimePaths& runtimes, const Path& model, const Soc& soc);

}  // namespace fastvlm::qnn
