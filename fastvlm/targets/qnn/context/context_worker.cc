#include "fastvlm/targets/qnn/context/context_worker.h"

#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

constexpr double kTimeoutSeconds = 120;

Result<Message> read(const Message& request) {
  TRY_ASSIGN(const std::string context, json_string(request.header, "context", "request"));
  TRY_ASSIGN(const std::string library, json_string(request.header, "library", "request"));
  TRY_ASSIGN(const ContextInfo info, read_context(context, library));
  return Message{.header = {{"context", Json(context_info_to_json(info))}}};
}

}  // namespace

Result<ContextInfo> read_context_in_child(const Path& context, const ContextReaderOptions& options) {
  TRY_ASSIGN(WorkerProcess worker, WorkerProcess::start({.program = options.program,
                                                         .worker = kContextWorker,
                                                         .called = "the process",
                                                         .limits = {.seconds = kTimeoutSeconds, .stop = options.stop}}));
  auto answer = worker.ask({{"context", context.string()}, {"library", options.qnn_system_library.string()}});
  if (answer.ok()) {
    const Json* info = json_find(answer->header, "context");
    return context_info_from_json(info != nullptr ? *info : Json(), context.string());
  }
  if (!worker.has_crashed()) return std::move(answer).error();
  return bad_input("{}: QnnSystem crashed while reading it ({}); the file is damaged", context.string(), answer.error().message);
}

RequestHandler context_worker() { return read; }

}  // namespace fastvlm
