#include <chrono>
#include <cstdio>
#include <iostream>
#include <iterator>

#include "fastvlm/base/json.h"
#include "fastvlm/base/try.h"
#include "fastvlm/targets/qnn/compile/compile.h"
#include "fastvlm/targets/qnn/run/backend.h"

namespace fastvlm::qnn {
namespace {

struct Job {
  RuntimePaths runtimes;
  int soc_model = 0;
  int vtcm_mib = 0;
  bool share = false;
  Path graph_folder;
  Path output_folder;
  std::vector<std::string> graphs;
  Path model;        // of the one graph, when it is not in graph_folder
  Path data_folder;  // of that model's external data
};

Job job_of(const Json& json) {
  return {.runtimes = {.onnxruntime_library = json.value("onnxruntime", ""),
                       .qnn_plugin = json.value("plugin", ""),
                       .qnn_folder = json.value("qnn_folder", "")},
          .soc_model = json.value("soc_model", 0),
          .vtcm_mib = json.value("vtcm_mib", 0),
          .share = json.value("share", false),
          .graph_folder = json.value("graph_folder", ""),
          .output_folder = json.value("output_folder", ""),
          .graphs = json.value("graphs", std::vector<std::string>()),
          .model = json.value("model", ""),
          .data_folder = json.value("data_folder", "")};
}

Result<OrderedJson> compile_all(const Job& job) {
  TRY_ASSIGN(auto runtime, load_backend(job.runtimes));
  OrderedJson graphs = OrderedJson::array();
  // A shared context is written with the last session; all of them stay open until then.
  std::vector<std::unique_ptr<OrtRunner>> sessions;
  for (std::size_t i = 0; i < job.graphs.size(); ++i) {
    const std::string& name = job.graphs[i];
    const auto begin = std::chrono::steady_clock::now();
    TRY_ASSIGN(auto session, open_session(runtime, job.runtimes, job.model.empty() ? job.graph_folder / (name + ".onnx") : job.model,
                                          {.soc_model = job.soc_model,
                                           .context = job.output_folder / (name + kContextWrapperEnd),
                                           .name_prefix = name + "_",
                                           .share = job.share,
                                           .last = i + 1 == job.graphs.size(),
                                           .vtcm_mib = job.vtcm_mib,
                                           .data_folder = job.data_folder,
                                           .trace = job.output_folder / (name + ".qnn")}));
    sessions.push_back(std::move(session));
    graphs.push_back({{"name", name}, {"seconds", std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count()}});
  }
  return graphs;
}

}  // namespace

int compile_worker_main() {
  const std::string text{std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
  OrderedJson answer;
  auto request = parse_json(text, "request");
  if (!request) {
    answer = {{"ok", false}, {"kind", static_cast<int>(request.error().kind)}, {"message", request.error().message}};
  } else {
    auto graphs = compile_all(job_of(*request));
    if (graphs.ok())
      answer = {{"ok", true}, {"graphs", *graphs}};
    else
      answer = {{"ok", false}, {"kind", static_cast<int>(graphs.error().kind)}, {"message", graphs.error().message}};
  }
  // The vendor library may still print while the sessions close; ours is the line with the mark.
  std::printf("\n%s%s\n", kResultMark, answer.dump(-1, ' ', false, OrderedJson::error_handler_t::replace).c_str());
  std::fflush(stdout);
  return 0;
}

}  // namespace fastvlm::qnn
