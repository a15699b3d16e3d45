#include "fastvlm/targets/qnn/workers.h"

#include "fastvlm/targets/qnn/compile/compile.h"
#include "fastvlm/targets/qnn/context/context_worker.h"
#include "fastvlm/targets/qnn/run/load_worker.h"
#include "fastvlm/targets/qnn/run/qnn_session.h"

namespace fastvlm::qnn {

std::span<const Worker> workers() {
  static constexpr Worker kWorkers[] = {
      {kSessionWorker, session_worker},  // holds a session and runs it
      {kCompileWorker, compile_worker},  // compiles graphs into one context
      {kContextWorker, context_worker},  // reads a context binary with QnnSystem
      {kLoadWorker, load_worker},        // tries whether the libraries load
  };
  return kWorkers;
}

}  // namespace fastvlm::qnn
