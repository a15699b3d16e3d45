// How a session reaches HTP through ONNX Runtime's QNN plug-in: the options of the plug-in, in one place.
#pragma once

#include <memory>
#include <string>

#include "fastvlm/run/ort_runner.h"
#include "fastvlm/run/runtimes.h"

namespace fastvlm::qnn {

inline constexpr const char* kProviderName = "QNNExecutionProvider";

struct SessionRequest {
  int soc_model = 0;
  Path context;             // where to write the compiled context; empty: none is written
  std::string name_prefix;  // of the nodes in the wrapper; differs for each graph of a shared context
  bool share = false;       // one context for several sessions
  bool last = false;        // the last of them
  int vtcm_mib = 0;         // 0: the backend's own choice (4)
  Path data_folder;         // of external data that do not lie beside the model; empty: they do
  bool foreign = false;     // the graph is not an export of ours, so that no option of ours mends it
  Path trace;               // folder for the list of QNN nodes and where they come from; empty: none
};

// The runtime with the plug-in registered. Call it in a child process only: the vendor library may take it along.
Result<std::shared_ptr<OrtRuntime>> load_backend(const RuntimePaths& paths);

// Opening the session is the compilation. Every node must go to HTP; what does not is named in the error.
Result<std::unique_ptr<OrtRunner>> open_session(const std::shared_ptr<OrtRuntime>& runtime, const RuntimePaths& paths, const Path& model,
                                                const SessionRequest& request);

// What the backend said, as a sentence with a way out. `log` is what it printed while it refused; `foreign` as in a request.
Error explain_failure(const Error& error, const std::string& log, const Path& model, bool foreign = false);

}  // namespace fastvlm::qnn
