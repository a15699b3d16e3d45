// A graph that ONNX Runtime runs, on the CPU or through a plug-in.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "fastvlm/base/files.h"
#include "fastvlm/run/linked_data.h"
#include "fastvlm/run/ort_runtime.h"
#include "fastvlm/run/runner.h"
#include "fastvlm/run/watcher.h"

namespace fastvlm {

enum class GraphOptimization { kNone, kBasic, kExtended, kAll };

// An execution provider of a plug-in that OrtRuntime::register_provider has loaded.
struct ExecutionProvider {
  std::string name;                            // as the plug-in calls it, "QNNExecutionProvider"
  std::map<std::string, std::string> options;  // its own options: backend_type, soc_model, …
};

struct OrtRunnerOptions {
  int threads = 0;                  // 0: one per core
  bool disable_prepacking = false;  // weights stay in the mapped file: loads at once and needs half the memory, runs slower
  GraphOptimization optimization = GraphOptimization::kAll;
  std::optional<ExecutionProvider> provider;           // none: the CPU
  std::map<std::string, std::string> session_entries;  // "ep.context_enable", "session.disable_cpu_ep_fallback", …
  Watcher watcher;                                     // what the graph's nodes of kWatchOperator show their values to, on the CPU
};

class OrtRunner final : public Runner {
 public:
  // Opens a model file; external data is looked for beside it, also behind links. With a compiling provider this is the compilation.
  static Result<std::unique_ptr<OrtRunner>> open(std::shared_ptr<OrtRuntime> runtime, const Path& model,
                                                 const OrtRunnerOptions& options = {});
  // Opens a model from memory, not needed afterwards; `what` names it in messages. External data lies in `data_folder`.
  struct ModelBytes {
    std::span<const std::byte> bytes;
    std::string what;
    Path data_folder;
  };
  static Result<std::unique_ptr<OrtRunner>> open(std::shared_ptr<OrtRuntime> runtime, const ModelBytes& model,
                                                 const OrtRunnerOptions& options = {});
  ~OrtRunner() override;

  const std::vector<TensorInfo>& inputs() const override;
  const std::vector<TensorInfo>& outputs() const override;
  Result<std::vector<NamedTensor>> run(std::span<const NamedTensorView> inputs, std::span<const std::string> wanted = {}) override;

 private:
  struct State;
  explicit OrtRunner(std::unique_ptr<State> state);
  static Result<std::unique_ptr<OrtRunner>> open_linked(std::shared_ptr<OrtRuntime> runtime, const Path& model,
                                                        const std::vector<LinkedData>& data, const OrtRunnerOptions& options);
  std::unique_ptr<State> state_;
};

}  // namespace fastvlm
