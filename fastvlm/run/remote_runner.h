// A Runner whose session lives in a child process (process/worker.h), so that a crash of the vendor's library is an Error here.
#pragma once

#include <memory>

#include "fastvlm/process/worker.h"
#include "fastvlm/run/runner.h"

namespace fastvlm {

struct RemoteRunnerOptions {
  WorkerOptions worker;  // one whose handler is session_handler()
  Json session;          // what the worker opens, in its own words
  Path model;            // named in messages
};

class RemoteRunner final : public Runner {
 public:
  // Starts the child, which opens the session. The limits of the worker hold for opening; running takes the time it takes.
  static Result<std::unique_ptr<RemoteRunner>> open(const RemoteRunnerOptions& options);
  const std::vector<TensorInfo>& inputs() const override { return inputs_; }
  const std::vector<TensorInfo>& outputs() const override { return outputs_; }
  Result<std::vector<NamedTensor>> run(std::span<const NamedTensorView> inputs, std::span<const std::string> wanted = {}) override;

 private:
  RemoteRunner(WorkerProcess worker, Path model) : worker_(std::move(worker)), model_(std::move(model)) {}
  Result<Message> ask(const Json& request, std::span<const NamedTensorView> tensors);
  WorkerProcess worker_;
  Path model_;
  std::vector<TensorInfo> inputs_, outputs_;
};

// The child's side: holds at most one session.
using OpenSession = Result<std::unique_ptr<Runner>> (*)(const Json& session);
RequestHandler session_handler(OpenSession open);

}  // namespace fastvlm
