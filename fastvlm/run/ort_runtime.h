// ONNX Runtime, loaded at run time: the program builds and exports without it.
#pragma once

#include <memory>
#include <string>

#include "fastvlm/base/files.h"
#include "fastvlm/base/result.h"

struct OrtEnv;  // of the C interface of ONNX Runtime

namespace fastvlm {

// A loaded ONNX Runtime. One per process, since the library keeps global state; runners keep it alive.
class OrtRuntime {
 public:
  // Loads the shared library; a second call with the same file gives the same object. An Error of the environment when it
  // is missing, is not ONNX Runtime, is older than the calls we make, or when another one was loaded before.
  static Result<std::shared_ptr<OrtRuntime>> load(const Path& library);
  OrtRuntime(const OrtRuntime&) = delete;
  OrtRuntime& operator=(const OrtRuntime&) = delete;
  ~OrtRuntime();

  const Path& library() const;
  const std::string& version() const;  // "1.29.0"

  // Loads a plug-in with execution providers and registers it under `name`. A name that is registered stays as it is.
  Status register_provider(const std::string& name, const Path& plugin);

  // What ONNX Runtime and its plug-ins logged since the last call, at most the last 1 MiB: warnings, errors, and
  // each node that a provider refuses, with its reason.
  std::string take_log();

  OrtEnv* environment() const;  // for the runners; stays ours

 private:
  struct State;
  explicit OrtRuntime(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fastvlm
