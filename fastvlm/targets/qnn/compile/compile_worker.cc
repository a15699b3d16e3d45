#include <chrono>

#include "fastvlm/base/try.h"
#include "fastvlm/run/runtimes_json.h"
#include "fastvlm/targets/qnn/compile/compile.h"
#include "fastvlm/targets/qnn/context/context_format.h"
#include "fastvlm/targets/qnn/run/backend.h"

namespace fastvlm::qnn {
namespace {

struct Job {
  RuntimePaths runtimes;
  std::int64_t soc_model = 0;
  std::int64_t vtcm_mib = 0;
  bool share = false;
  Path graph_folder;
  Path output_folder;
  std::vector<std::string> graphs;
  Path model;        // of the one graph, when it is not in graph_folder
  Path data_folder;  // of that model's external data
};

Result<Job> job_of(const Json& json) {
  constexpr std::string_view kWhat = "request";
  Job job;
  TRY_ASSIGN(job.runtimes, runtimes_from_json(json, kWhat));
  TRY_ASSIGN(job.soc_model, json_integer(json, "soc_model", kWhat));
  TRY_ASSIGN(job.vtcm_mib, json_integer(json, "vtcm_mib", kWhat));
  TRY_ASSIGN(job.share, json_bool(json, "share", kWhat));
  TRY_ASSIGN(job.graph_folder, json_string(json, "graph_folder", kWhat));
  TRY_ASSIGN(job.output_folder, json_string(json, "output_folder", kWhat));
  TRY_ASSIGN(job.graphs, json_strings(json, "graphs", kWhat));
  TRY_ASSIGN(job.model, json_string(json, "model", kWhat));
  TRY_ASSIGN(job.data_folder, json_string(json, "data_folder", kWhat));
  return job;
}

Result<Json> compile_all(const Job& job) {
  TRY_ASSIGN(auto runtime, load_backend(job.runtimes));
  Json graphs = Json::array();
  // A shared context is written with the last session. The plug-in keeps what the earlier ones compiled to until then, so that
  // each session can go, and with it the weights that it read, before the next is opened.
  for (std::size_t i = 0; i < job.graphs.size(); ++i) {
    const std::string& name = job.graphs[i];
    const auto begin = std::chrono::steady_clock::now();
    TRY_ASSIGN(auto session, open_session(runtime, job.runtimes, job.model.empty() ? job.graph_folder / (name + ".onnx") : job.model,
                                          {.soc_model = static_cast<int>(job.soc_model),
                                           .context = job.output_folder / (name + kContextWrapperEnd),
                                           .name_prefix = name + "_",
                                           .share = job.share,
                                           .last = i + 1 == job.graphs.size(),
                                           .vtcm_mib = static_cast<int>(job.vtcm_mib),
                                           .data_folder = job.data_folder,
                                           .foreign = !job.model.empty(),
                                           .trace = job.output_folder / (name + ".qnn")}));
    session.reset();
    graphs.push_back({{"name", name}, {"seconds", std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count()}});
  }
  return graphs;
}

Result<Message> compile(const Message& request) {
  TRY_ASSIGN(const Job job, job_of(request.header));
  TRY_ASSIGN(Json graphs, compile_all(job));
  return Message{.header = {{"graphs", std::move(graphs)}}};
}

}  // namespace

RequestHandler compile_worker() { return compile; }

}  // namespace fastvlm::qnn
