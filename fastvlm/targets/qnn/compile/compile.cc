#include "fastvlm/targets/qnn/compile/compile.h"

#include <algorithm>
#include <csignal>
#include <thread>

#include "fastvlm/base/hash.h"
#include "fastvlm/base/machine_memory.h"
#include "fastvlm/base/parallel.h"
#include "fastvlm/base/try.h"
#include "fastvlm/base/version.h"
#include "fastvlm/onnx/validate.h"
#include "fastvlm/run/runtimes_json.h"
#include "fastvlm/targets/qnn/compile/context_cache.h"
#include "fastvlm/targets/qnn/compile/estimate.h"
#include "fastvlm/targets/qnn/compile/sdk_tools.h"
#include "fastvlm/targets/qnn/context/context_format.h"
#include "fastvlm/targets/qnn/context/context_wrapper.h"
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
  CompileLoad load = {};
};

Result<std::vector<Batch>> batches_of(const CompileRequest& request) {
  std::vector<Batch> batches;
  for (const CompileGroup& group : request.groups) {
    if (soc_of(*request.chip).weight_sharing() && group.graphs.size() > 1) {
      batches.push_back({group.name, group.graphs, group.weights_sha256, true});
      continue;
    }
    for (const std::string& graph : group.graphs)
      batches.push_back({group.graphs.size() == 1 ? group.name : graph, {graph}, group.weights_sha256, false});
  }
  for (Batch& batch : batches) {
    CompileLoadSum sum;
    for (const std::string& graph : batch.graphs) TRY(sum.add(request.graph_folder / (graph + ".onnx")));
    batch.load = sum.load();
  }
  return batches;
}

double gigabytes(std::uint64_t bytes) { return static_cast<double>(bytes) / 1e9; }

// As many at a time as memory allows.
unsigned jobs_for(const CompileRequest& request, const std::vector<Batch>& batches, std::uint64_t memory) {
  if (request.jobs > 0) return request.jobs;
  std::uint64_t largest = 1;
  for (const Batch& batch : batches) largest = std::max(largest, compile_memory(batch.load));
  return static_cast<unsigned>(std::clamp<std::uint64_t>(memory / largest, 1, std::max(1u, std::thread::hardware_concurrency())));
}

// A compiler that runs out of either dies without a word that helps.
Status check_room(const CompileRequest& request, const Batch& batch, std::uint64_t memory) {
  const std::uint64_t needed = compile_memory(batch.load);
  if (needed > memory)
    return bad_environment(
        "compiling {} for {} takes about {:.1f} GB of memory, but only {:.1f} GB are available; stop other programs, "
        "compile on a larger machine, or export smaller parts (`part_limit_bytes`)",
        batch.name, request.chip->name, gigabytes(needed), gigabytes(memory));
  TRY_ASSIGN(const std::uint64_t space, free_bytes(request.output_folder));
  if (const std::uint64_t bytes = context_bytes(batch.load); bytes > space)
    return bad_environment("{}: the context {} for {} takes about {:.1f} GB, but only {:.1f} GB are free on that disk",
                           request.output_folder.parent_path().string(), batch.name, request.chip->name, gigabytes(bytes),
                           gigabytes(space));
  return {};
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

Json request_json(const ChildCompilation& c) {
  Json request = runtimes_to_json(c.runtimes);
  request["soc_model"] = c.soc->soc_model;
  request["vtcm_mib"] = c.soc->vtcm_mib;
  request["share"] = c.share;
  request["graph_folder"] = c.graph_folder.string();
  request["output_folder"] = c.output_folder.string();
  request["graphs"] = c.graphs;
  request["model"] = c.model.string();
  request["data_folder"] = c.data_folder.string();
  return request;
}

// [{"name", "seconds"}, …], from the child or from the cache.
Result<std::vector<CompiledGraph>> graphs_of(const Json& facts, std::string_view what) {
  TRY_ASSIGN(const Json* rows, json_array(facts, "graphs", what));
  std::vector<CompiledGraph> graphs;
  for (const Json& row : *rows) {
    CompiledGraph graph;
    TRY_ASSIGN(graph.name, json_string(row, "name", what));
    TRY_ASSIGN(graph.seconds, json_number(row, "seconds", what));
    graph.wrapper = graph.name + kContextWrapperEnd;
    graphs.push_back(std::move(graph));
  }
  return graphs;
}

OrderedJson facts_of(const CompiledGroup& group) {
  OrderedJson graphs = OrderedJson::array();
  for (const CompiledGraph& graph : group.graphs) graphs.push_back({{"name", graph.name}, {"seconds", graph.seconds}});
  return {{"binary", group.binary},
          {"bytes", group.bytes},
          {"graphs", std::move(graphs)},
          {"seconds", group.seconds},
          {"peak_rss_bytes", group.peak_rss_bytes}};
}

Result<CompiledGroup> group_of(const Batch& batch, const Json& facts) {
  constexpr std::string_view kWhat = "entry of the cache";
  CompiledGroup group{.name = batch.name};
  TRY_ASSIGN(group.binary, json_string(facts, "binary", kWhat));
  TRY_ASSIGN(group.bytes, json_integer(facts, "bytes", kWhat));
  TRY_ASSIGN(group.graphs, graphs_of(facts, kWhat));
  TRY_ASSIGN(group.seconds, json_number(facts, "seconds", kWhat));
  TRY_ASSIGN(group.peak_rss_bytes, json_integer(facts, "peak_rss_bytes", kWhat));
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
    TRY_ASSIGN(CompiledOperators report, read_qnn_graph_json(trace / "qnn_op_trace.json"));
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

// What made the contexts in the output folder, as the plug-in noted it in their wrappers.
Result<std::string> compiler_of(const CompileRequest& request, const Batch& batch) {
  TRY_ASSIGN(const ContextWrapper wrapper, read_context_wrapper(request.output_folder / (batch.graphs.front() + kContextWrapperEnd)));
  return wrapper.ep_sdk_version;
}

Result<CompiledGroup> compile_batch(const CompileRequest& request, const Batch& batch, std::uint64_t memory) {
  const ContextCache cache(request.cache_folder.empty() ? Path() : request.cache_folder / "contexts");
  TRY_ASSIGN(std::string key, cache_key(request, batch));
  if (auto facts = cache.take(key, request.output_folder)) {
    auto group = group_of(batch, *facts);
    // An entry that cannot be read is compiled again.
    if (group.ok()) {
      group->cached = true;
      return group;
    }
  }
  for (const std::string& graph : batch.graphs) TRY(check_extents(request.graph_folder / (graph + ".onnx")));
  TRY(check_room(request, batch, memory));
  // A folder of its own: the plug-in names the binary, and nothing else may lie beside it.
  const Path work = request.output_folder / ("." + batch.name + ".work");
  std::error_code failure;
  std::filesystem::create_directories(work, failure);
  auto child = compile_in_child({.program = request.program,
                                 .runtimes = request.runtimes,
                                 .soc = &soc_of(*request.chip),
                                 .share = batch.share,
                                 .graph_folder = request.graph_folder,
                                 .output_folder = work,
                                 .graphs = batch.graphs,
                                 .log_folder = request.log_folder});
  if (!child) {
    std::filesystem::remove_all(work, failure);
    return child.error();
  }
  TRY_ASSIGN(std::string binary, find_binary(work));
  std::vector<std::string> files = {binary};
  TRY(collect_reports(work, batch, files));
  for (const std::string& graph : batch.graphs) files.push_back(graph + kContextWrapperEnd);
  const CompiledGroup group{.name = batch.name,
                            .binary = binary,
                            .bytes = std::filesystem::file_size(work / binary, failure),
                            .graphs = std::move(child->graphs),
                            .seconds = child->seconds,
                            .peak_rss_bytes = child->peak_rss_bytes};
  cache.keep(key, work, files, facts_of(group));
  for (const std::string& file : files) {
    std::filesystem::rename(work / file, request.output_folder / file, failure);
    if (failure) return bad_environment("{}: cannot move the compiled file ({})", (work / file).string(), failure.message());
  }
  std::filesystem::remove_all(work, failure);
  return group;
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

Result<ChildOutcome> compile_in_child(const ChildCompilation& compilation) {
  TRY_ASSIGN(WorkerProcess child, WorkerProcess::start({.program = compilation.program,
                                                        .worker = kCompileWorker,
                                                        .called = "the compiling process",
                                                        .log_folder = compilation.log_folder,
                                                        .limits = compilation.limits}));
  auto answer = child.ask(request_json(compilation));
  if (!answer.ok()) {
    Error error = std::move(answer).error();
    if (compilation.limits.seconds > 0 && child.is_lost() && error.kind == ErrorKind::kEnvironment)
      return child.has_crashed() ? check_failed("the compiler crashed on it: {}", error.message) : check_failed("{}", error.message);
    const Path log = child.is_lost() || error.kind == ErrorKind::kInterrupted ? Path() : child.keep_log();
    // Nobody else ends a child of ours like this.
    if (child.is_lost() && child.finish().signal == SIGKILL) error.message += "; the system does that when memory is short";
    error.message += fmt::format(" (target {}{})", compilation.soc->name, log.empty() ? "" : ", log " + log.string());
    return error;
  }
  const ProcessEnd end = child.finish();
  auto graphs = graphs_of(answer->header, "the answer of the compiling process");
  if (!graphs.ok()) return bad_environment("{}", graphs.error().message);
  return ChildOutcome{.graphs = *std::move(graphs), .seconds = end.seconds, .peak_rss_bytes = end.peak_rss_bytes};
}

Result<std::vector<CompiledGroup>> compile_groups(const CompileRequest& request, Progress& progress) {
  TRY_ASSIGN(const std::vector<Batch> batches, batches_of(request));
  const std::uint64_t memory = request.memory > 0 ? request.memory : available_memory();
  const unsigned jobs = jobs_for(request, batches, memory);
  std::uint64_t most = 0;
  for (const Batch& batch : batches) most = std::max(most, compile_memory(batch.load));
  progress.start(
      fmt::format("compiling for {}, which takes about {:.1f} GB of memory for the largest context", request.chip->name, gigabytes(most)),
      batches.size());
  std::vector<std::optional<CompiledGroup>> compiled(batches.size());
  TRY(parallel_for(batches.size(), jobs, [&](std::size_t i) -> Status {
    TRY_ASSIGN(compiled[i], compile_batch(request, batches[i], memory));
    TRY_ASSIGN(compiled[i]->compiler, compiler_of(request, batches[i]));
    progress.advance(1);
    return {};
  }));
  std::vector<CompiledGroup> groups;
  for (auto& group : compiled) groups.push_back(std::move(*group));
  return groups;
}

}  // namespace fastvlm::qnn
