#include "fastvlm/targets/qnn/run/remote_runner.h"

#include <unistd.h>

#include <atomic>

#include "fastvlm/base/try.h"
#include "fastvlm/targets/qnn/run/worker.h"

namespace fastvlm::qnn {
namespace {

std::vector<TensorInfo> infos_of(const Json& rows) {
  std::vector<TensorInfo> infos;
  for (const Json& row : rows)
    infos.push_back({row.value("name", ""), dtype_from_onnx(row.value("type", 1)).value_or(Dtype::kFloat32), row.value("shape", Shape())});
  return infos;
}

Error error_of(const Json& answer) {
  return {static_cast<ErrorKind>(answer.value("kind", static_cast<int>(ErrorKind::kEnvironment))),
          answer.value("message", "no reason given")};
}

Path new_log(const Path& folder) {
  static std::atomic<unsigned> counter{0};
  return folder / fmt::format("fastvlm-npu-session-{}-{}.log", ::getpid(), counter++);
}

}  // namespace

Result<std::unique_ptr<RemoteRunner>> RemoteRunner::open(const RemoteRunnerOptions& options) {
  const Path log = new_log(options.log_folder);
  TRY_ASSIGN(Child child, Child::start(options.program, {kWorkerVerb}, log));
  std::unique_ptr<RemoteRunner> runner(new RemoteRunner(std::move(child), options.model, log));
  const OrderedJson request = {{"op", "open"},
                               {"model", options.model.string()},
                               {"soc_model", options.soc_model},
                               {"context", options.context.string()},
                               {"onnxruntime", options.runtimes.onnxruntime_library.string()},
                               {"plugin", options.runtimes.qnn_plugin.string()},
                               {"qnn_folder", options.runtimes.qnn_folder.string()}};
  if (!send_message(runner->child_.channel(), request, {})) return runner->lost();
  auto answer = receive_message(runner->child_.channel());
  if (!answer) return runner->lost();
  if (!answer->header.value("ok", false)) return error_of(answer->header);
  runner->inputs_ = infos_of(answer->header["inputs"]);
  runner->outputs_ = infos_of(answer->header["outputs"]);
  return runner;
}

RemoteRunner::~RemoteRunner() {
  std::error_code ignored;
  if (!log_.empty()) std::filesystem::remove(log_, ignored);
}

Result<std::vector<NamedTensor>> RemoteRunner::run(std::span<const NamedTensorView> inputs, std::span<const std::string> wanted) {
  TRY(check_inputs(inputs_, inputs));
  const OrderedJson request = {{"op", "run"}, {"wanted", std::vector<std::string>(wanted.begin(), wanted.end())}};
  if (!send_message(child_.channel(), request, inputs)) return lost();
  auto answer = receive_message(child_.channel());
  if (!answer) return lost();
  if (!answer->header.value("ok", false)) return error_of(answer->header);
  return std::move(answer->tensors);
}

// The log stays for the user to look at.
Error RemoteRunner::lost() {
  const Path log = std::exchange(log_, Path());
  return bad_environment("{}: the process that runs the vendor's library {}; its log is {}", model_.filename().string(),
                         child_.describe_end(), log.string());
}

}  // namespace fastvlm::qnn
