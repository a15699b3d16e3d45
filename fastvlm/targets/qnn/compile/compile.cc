#include "fastvlm/targets/qnn/compile/compile.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <set>

#include "fastvlm/base/hash.h"
#include "fastvlm/base/parallel.h"
#include "fastvlm/base/try.h"
#include "fastvlm/base/version.h"
#include "fastvlm/onnx/validate.h"
#include "fastvlm/process/process.h"
#include "fastvlm/targets/qnn/compile/context_cache.h"
#include "fastvlm/targets/qnn/compile/sdk_tools.h"
#include "fastvlm/targets/qnn/context/profile_report.h"
#include "fastvlm/targets/qnn/run/htp_runner.h"

namespace fastvlm::qnn {
namespace {

// What one child does: all graphs of a group, or one of them where weights cannot be shared.
struct Batch {
  std::string name;
  std::vector<std::string> graphs;
  std::string weights_sha256;
  bool share = false;
};

std::vector<Batch> batches_of(const CompileRequest& request) {
  std::vector<Batch> batches;
  for (const CompileGroup& group : request.groups) {
    if (soc_of(*request.chip).weight_sharing() && group.graphs.size() > 1) {
      batches.push_back({group.name, group.graphs, group.weights_sha256, true});
      continue;
    }
    for (const std::string& graph : group.graphs)
      batches.push_back({group.graphs.size() == 1 ? group.name : graph, {graph}, group.weights_sha256, false});
  }
  return batches;
}

Result<std::string> cache_key(const CompileRequest& request, const Batch& batch) {
  std::string recipe = fmt::format("{}\n{}\n{}\n{}\n{}\n{}", kVersion, request.runtimes.onnxruntime_version, request.runtimes.qnn_version,
                                   soc_of(*request.chip).soc_model, batch.share, batch.weights_sha256);
  for (const std::string& graph : batch.graphs) {
    TRY_ASSIGN(std::string hash, sha256_of_file(request.graph_folder / (graph + ".onnx")));
    recipe += "\n" + graph + " " + hash;
  }
  return sha256_of(recipe);
}

std::string request_json(const ChildCompilation& c) {
  return OrderedJson{{"onnxruntime", c.runtimes.onnxruntime_library.string()},
                     {"plugin", c.runtimes.qnn_plugin.string()},
                     {"qnn_folder", c.runtimes.qnn_folder.string()},
                     {"soc_model", c.soc->soc_model},
                     {"vtcm_mib", c.soc->vtcm_mib},
                     {"share", c.share},
                     {"graph_folder", c.graph_folder.string()},
                     {"output_folder", c.output_folder.string()},
                     {"graphs", c.graphs},
                     {"model", c.model.string()},
                     {"data_folder", c.data_folder.string()}}
      .dump();
}

Result<Json> answer_of(const ProcessResult& child) {
  const auto mark = child.output.rfind(std::string("\n") + kResultMark);
  if (mark == std::string::npos) return bad_environment("the compiling process {}", describe(child));
  const auto begin = mark + 1 + std::string_view(kResultMark).size();
  TRY_ASSIGN(Json answer, parse_json(std::string_view(child.output).substr(begin, child.output.find('\n', begin) - begin),
                                     "answer of the compiling process"));
  if (answer.value("ok", false)) return answer;
  return Error{static_cast<ErrorKind>(answer.value("kind", static_cast<int>(ErrorKind::kEnvironment))), answer.value("message", "")};
}

CompiledGroup described(const Batch& batch, const Json& facts) {
  CompiledGroup group{.name = batch.name, .binary = facts.value("binary", ""), .bytes = facts.value("bytes", std::uint64_t{0})};
  for (const Json& row : facts.value("graphs", Json::array()))
    group.graphs.push_back(
        {.name = row.value("name", ""), .wrapper = row.value("name", "") + kContextWrapperEnd, .seconds = row.value("seconds", 0.0)});
  group.seconds = facts.value("seconds", 0.0);
  group.peak_rss_bytes = facts.value("peak_rss_bytes", std::uint64_t{0});
  return group;
}

// The one binary that the child wrote; it is called after the first graph.
Result<std::string> find_binary(const Path& folder) {
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(folder, failure))
    if (entry.path().extension() == ".bin") return entry.path().filename().string();
  return bad_environment("{}: the backend wrote no context binary", folder.string());
}

// Which ONNX node became which QNN node, reduced, stands beside the context as <graph>_qnn_graph.json.
Status collect_reports(const Path& folder, const Batch& batch, std::vector<std::string>& files) {
  for (const std::string& graph : batch.graphs) {
    const Path trace = folder / (graph + ".qnn");
    TRY_ASSIGN(QnnGraphReport report, read_qnn_graph_json(trace / "qnn_op_trace.json"));
    TRY(write_file_atomically(folder / (graph + kOperatorReportEnd), qnn_graph_report_to_json(report).dump(1) + "\n"));
    files.push_back(graph + kOperatorReportEnd);
    std::error_code ignored;
    std::filesystem::remove_all(trace, ignored);
  }
  return {};
}

// The backend does not say which extent it misses, so they are looked at before.
Status check_extents(const Path& graph) {
  TRY_ASSIGN(OnnxModel model, read_onnx(graph, {.infer_shapes = false}));
  const std::vector<Finding> findings = check_static_shapes(model);
  if (findings.empty()) return {};
  return bad_input("{}: {}", graph.string(), findings.front().message);
}

Result<CompiledGroup> compile_batch(const CompileRequest& request, const Batch& batch) {
  const ContextCache cache(request.cache_folder.empty() ? Path() : request.cache_folder / "contexts");
  TRY_ASSIGN(std::string key, cache_key(request, batch));
  if (auto facts = cache.take(key, request.output_folder)) {
    CompiledGroup group = described(batch, *facts);
    group.cached = true;
    return group;
  }
  for (const std::string& graph : batch.graphs) TRY(check_extents(request.graph_folder / (graph + ".onnx")));
  // A folder of its own: the plug-in names the binary, and nothing else may lie beside it.
  const Path work = request.output_folder / ("." + batch.name + ".work");
  std::error_code failure;
  std::filesystem::create_directories(work, failure);
  auto child =
      compile_in_child(request.program,
                       {.runtimes = request.runtimes,
                        .soc = &soc_of(*request.chip),
                        .share = batch.share,
                        .graph_folder = request.graph_folder,
                        .output_folder = work,
                        .graphs = batch.graphs},
                       request.log_folder / fmt::format("fastvlm-npu-{}-{}-{}.log", soc_of(*request.chip).name, batch.name, ::getpid()));
  if (!child) {
    std::filesystem::remove_all(work, failure);
    return child.error();
  }
  TRY_ASSIGN(std::string binary, find_binary(work));
  std::vector<std::string> files = {binary};
  TRY(collect_reports(work, batch, files));
  for (const std::string& graph : batch.graphs) files.push_back(graph + kContextWrapperEnd);
  OrderedJson facts = {{"binary", binary},
                       {"bytes", std::filesystem::file_size(work / binary, failure)},
                       {"graphs", child->graphs},
                       {"seconds", child->seconds},
                       {"peak_rss_bytes", child->peak_rss_bytes}};
  cache.keep(key, work, files, facts);
  for (const std::string& file : files) {
    std::filesystem::rename(work / file, request.output_folder / file, failure);
    if (failure) return bad_environment("{}: cannot move the compiled file ({})", (work / file).string(), failure.message());
  }
  std::filesystem::remove_all(work, failure);
  return described(batch, Json(facts));
}

}  // namespace

Status check_compiler(const RuntimeSearch& search, const Path& sdk) {
  if (!is_emulated())
    return bad_environment("the compiler of HTP contexts runs on x86-64 only; run compile there and copy the output folder here");
  if (!sdk.empty()) {
    auto tools = find_sdk_tools(sdk);
    return tools.ok() ? Status() : std::move(tools).error();
  }
  auto found = require_runtimes(search, /*with_qnn=*/true);
  return found.ok() ? Status() : std::move(found).error();
}

Result<ChildOutcome> compile_in_child(const Path& program, const ChildCompilation& compilation, const Path& log_file) {
  const double limit = compilation.timeout_seconds;
  const auto begin = std::chrono::steady_clock::now();
  auto run = run_process({.program = program,
                          .arguments = {kCompileVerb},
                          .input = request_json(compilation),
                          .log_file = log_file,
                          .timeout_seconds = limit});
  if (!run) {
    const bool late = limit > 0 && std::chrono::steady_clock::now() - begin >= std::chrono::duration<double>(limit);
    if (late && run.error().kind == ErrorKind::kEnvironment) return check_failed("the compiler did not end within {} seconds", limit);
    return std::move(run).error();
  }
  const ProcessResult& child = *run;
  if (limit > 0 && child.signal != 0) return check_failed("the compiler crashed on it: it {}", describe(child));
  auto answer = answer_of(child);
  if (!answer) {
    Error error = answer.error();
    error.message += fmt::format(" (target {}{})", compilation.soc->name, log_file.empty() ? "" : ", log " + log_file.string());
    return error;
  }
  std::error_code ignored;
  if (!log_file.empty()) std::filesystem::remove(log_file, ignored);
  return ChildOutcome{.graphs = (*answer)["graphs"], .seconds = child.seconds, .peak_rss_bytes = child.peak_rss_bytes};
}

Result<std::vector<CompiledGroup>> compile_groups(const CompileRequest& request, Progress& progress) {
  const std::vector<Batch> batches = batches_of(request);
  progress.start(fmt::format("compiling for {}", soc_of(*request.chip).name), batches.size());
  std::vector<std::optional<CompiledGroup>> compiled(batches.size());
  TRY(parallel_for(batches.size(), std::max(1u, request.jobs), [&](std::size_t i) -> Status {
    TRY_ASSIGN(compiled[i], compile_batch(request, batches[i]));
    progress.advance(1);
    return {};
  }));
  std::vector<CompiledGroup> groups;
  for (auto& group : compiled) groups.push_back(std::move(*group));
  return groups;
}

}  // namespace fastvlm::qnn
