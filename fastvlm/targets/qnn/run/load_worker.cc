#include "fastvlm/targets/qnn/run/load_worker.h"

#include "fastvlm/base/try.h"
#include "fastvlm/run/runtimes_json.h"
#include "fastvlm/targets/qnn/run/backend.h"

namespace fastvlm::qnn {
namespace {

Result<Message> load(const Message& request) {
  TRY_ASSIGN(const RuntimePaths runtimes, runtimes_from_json(request.header, "request"));
  auto runtime = runtimes.qnn_plugin.empty() ? OrtRuntime::load(runtimes.onnxruntime_library) : load_backend(runtimes);
  if (!runtime.ok()) return std::move(runtime).error();
  return Message{.header = {{"version", (*runtime)->version()}}};
}

}  // namespace

Result<std::string> try_to_load(const Path& program, const RuntimePaths& runtimes, bool with_plugin, const ProcessLimits& limits) {
  RuntimePaths wanted{.onnxruntime_library = runtimes.onnxruntime_library};
  if (with_plugin) wanted.qnn_plugin = runtimes.qnn_plugin, wanted.qnn_folder = runtimes.qnn_folder;
  TRY_ASSIGN(WorkerProcess worker,
             WorkerProcess::start({.program = program, .worker = kLoadWorker, .called = "does not load: the process", .limits = limits}));
  TRY_ASSIGN(const Message answer, worker.ask(runtimes_to_json(wanted)));
  return json_string(answer.header, "version", "answer of the process that loads it");
}

RequestHandler load_worker() { return load; }

}  // namespace fastvlm::qnn
