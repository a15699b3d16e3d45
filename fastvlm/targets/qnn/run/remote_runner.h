// A Runner whose session lives in a child process: the emulated (or real) NPU. A crash there is an Error here.
#pragma once

#include <memory>

#include "fastvlm/process/child.h"
#include "fastvlm/run/runner.h"
#include "fastvlm/run/runtimes.h"

namespace fastvlm::qnn {

struct RemoteRunnerOptions {
  Path program;  // the fastvlm-npu program, which serves as the child
  RuntimePaths runtimes;
  int soc_model = 0;  // 0: ONNX Runtime's CPU
  Path model;         // a static graph (compiled when opened) or the wrapper of a context that was compiled alone
  Path context;       // also write the compiled context here; empty: no
  Path log_folder;    // where the child's output goes
};

class RemoteRunner final : public Runner {
 public:
  static Result<std::unique_ptr<RemoteRunner>> open(const RemoteRunnerOptions& options);
  ~RemoteRunner() override;
  const std::vector<TensorInfo>& inputs() const override { return inputs_; }
  const std::vector<TensorInfo>& outputs() const override { return outputs_; }
  Result<std::vector<NamedTensor>> run(std::span<const NamedTensorView> inputs, std::span<const std::string> wanted = {}) override;

 private:
  RemoteRunner(Child child, Path model, Path log) : child_(std::move(child)), model_(std::move(model)), log_(std::move(log)) {}
  Error lost();
  Child child_;
  Path model_;
  Path log_;
  std::vector<TensorInfo> inputs_, outputs_;
};

}  // namespace fastvlm::qnn
