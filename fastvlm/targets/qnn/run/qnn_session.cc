#include "fastvlm/targets/qnn/run/qnn_session.h"

#include "fastvlm/base/try.h"
#include "fastvlm/run/runtimes_json.h"
#include "fastvlm/targets/qnn/run/backend.h"
#include "fastvlm/targets/qnn/run/htp_runner.h"

namespace fastvlm::qnn {
namespace {

constexpr std::string_view kWhat = "request of a session";

Result<std::unique_ptr<Runner>> open(const Json& session) {
  TRY_ASSIGN(const RuntimePaths runtimes, runtimes_from_json(session, kWhat));
  TRY_ASSIGN(const std::string model, json_string(session, "model", kWhat));
  TRY_ASSIGN(const std::string context, json_string(session, "context", kWhat));
  TRY_ASSIGN(const std::int64_t soc_model, json_integer(session, "soc_model", kWhat));
  if (soc_model == 0) {
    TRY_ASSIGN(auto runtime, OrtRuntime::load(runtimes.onnxruntime_library));
    TRY_ASSIGN(auto runner, OrtRunner::open(runtime, model));
    return std::unique_ptr<Runner>(std::move(runner));
  }
  TRY_ASSIGN(auto runtime, load_backend(runtimes));
  TRY_ASSIGN(auto runner, open_session(runtime, runtimes, model, {.soc_model = static_cast<int>(soc_model), .context = context}));
  return std::unique_ptr<Runner>(std::move(runner));
}

}  // namespace

Result<std::unique_ptr<RemoteRunner>> open_in_child(const QnnSessionRequest& request) {
  Json session = runtimes_to_json(request.runtimes);
  session["model"] = request.model.string();
  session["context"] = request.context.string();
  session["soc_model"] = request.soc_model;
  // On a board the NPU loads its own half of the library, which lies beside ours and is found by this variable only.
  std::vector<std::pair<std::string, std::string>> environment;
  if (!is_emulated()) environment.emplace_back("ADSP_LIBRARY_PATH", request.runtimes.qnn_folder.string());
  return RemoteRunner::open({.worker = {.program = request.program,
                                        .worker = kSessionWorker,
                                        .called = "the process that runs the vendor's library",
                                        .log_folder = request.log_folder,
                                        .environment = std::move(environment)},
                             .session = std::move(session),
                             .model = request.model});
}

RequestHandler session_worker() { return session_handler(open); }

}  // namespace fastvlm::qnn
