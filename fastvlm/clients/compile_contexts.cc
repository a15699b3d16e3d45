#include "fastvlm/clients/compile_contexts.h"

#include <algorithm>
#include <filesystem>

#include "fastvlm/base/temporary_folder.h"
#include "fastvlm/base/try.h"
#include "fastvlm/base/version.h"
#include "fastvlm/onnx/data_writer.h"
#include "fastvlm/onnx/writer.h"

namespace fastvlm::clients {
namespace {

constexpr const char* kWeights = "weights.data";  // of all graphs, only while they are compiled

constexpr const char* kEstimated = "compiled, size estimated";
constexpr std::uint64_t kWrapperBytes = 4096;  // a node with the graph's inputs and outputs

DataLayout data_of(const LayoutFiles& files) {
  DataLayout data;
  for (const LayoutContext& context : files.contexts)
    for (const Graph* graph : context.graphs) data.place_graph(*graph, kWeights);
  return data;
}

// Contexts of several layouts that are made of the same graphs are compiled once.
std::vector<CompileGroup> groups_of(const LayoutFiles& files, const std::string& weights_sha256) {
  std::vector<CompileGroup> groups;
  for (const LayoutContext& context : files.contexts) {
    CompileGroup group{.name = context.graphs.front()->name(), .weights_sha256 = weights_sha256};
    for (const Graph* graph : context.graphs) group.graphs.push_back(graph->name());
    if (std::ranges::find(groups, group.name, &CompileGroup::name) == groups.end()) groups.push_back(std::move(group));
  }
  return groups;
}

// <folder>/<graph>.onnx and the weights of all. Returns the hash of these.
Result<std::string> write_sources(const LayoutFiles& files, const Path& folder, unsigned threads, WrittenContexts& result,
                                  Progress& progress) {
  const DataLayout data = data_of(files);
  const OnnxOptions onnx{.producer_version = kVersion, .losses = &result.losses};
  for (const LayoutContext& context : files.contexts)
    for (const Graph* graph : context.graphs) {
      TRY_ASSIGN(const std::string bytes, to_onnx(*graph, data, onnx));
      TRY(write_file_atomically(folder / (graph->name() + ".onnx"), bytes));
    }
  std::uint64_t total = 0;
  for (const auto& [name, bytes] : data.file_sizes()) total += bytes;
  progress.start("writing the weights of the contexts", total, /*bytes=*/true);
  TRY_ASSIGN(const WrittenData written, write_data_files(data, folder, {.threads = threads, .stop = {}}, progress));
  for (const auto& [weight, losses] : written.losses) result.losses[weight].add(losses);
  return written.files.contains(kWeights) ? written.files.at(kWeights).sha256 : std::string();
}

Status place(const Path& from, const Path& folder, const std::string& file, WrittenContexts& result) {
  std::error_code failure;
  std::filesystem::create_directories((folder / file).parent_path(), failure);
  if (!failure) std::filesystem::copy_file(from, folder / file, failure);
  if (failure) return bad_environment("{}: cannot write the context ({})", (folder / file).string(), failure.message());
  result.files.push_back(file);
  return {};
}

Status place_context(const LayoutContext& context, const CompiledGroup& group, const Path& compiled, const Path& folder,
                     WrittenContexts& result) {
  const Path below = Path(context.file).parent_path();
  TRY(place(compiled / group.binary, folder, context.wrapped ? (below / group.binary).string() : context.file, result));
  if (!context.wrapped) return {};
  for (const CompiledGraph& graph : group.graphs) TRY(place(compiled / graph.wrapper, folder, (below / graph.wrapper).string(), result));
  return {};
}

}  // namespace

std::vector<PlannedFile> planned_contexts(const LayoutFiles& files, const Target& target) {
  std::vector<PlannedFile> planned;
  for (const LayoutContext& context : files.contexts) {
    CompileLoadSum sum;
    for (const Graph* graph : context.graphs) sum.add(*graph);
    planned.push_back({context.file, target.context_bytes(sum.load()), kEstimated});
    if (!context.wrapped) continue;
    const std::string below = (Path(context.file).parent_path() / "").string();
    for (const Graph* graph : context.graphs) planned.push_back({below + graph->name() + "_ctx.onnx", kWrapperBytes, kEstimated});
  }
  return planned;
}

std::uint64_t compile_scratch_bytes(const LayoutFiles& files) {
  std::uint64_t total = 0;
  const DataLayout data = data_of(files);
  for (const auto& [name, bytes] : data.file_sizes()) total += bytes;
  return total;
}

Result<WrittenContexts> write_contexts(const LayoutFiles& files, const Path& folder, const ContextOptions& options, Progress& progress) {
  WrittenContexts result;
  if (files.contexts.empty()) return result;
  TRY_ASSIGN(const TemporaryFolder sources, TemporaryFolder::create_in(folder));
  TRY_ASSIGN(const TemporaryFolder compiled, TemporaryFolder::create_in(folder));
  TRY_ASSIGN(const std::string weights, write_sources(files, sources.path(), options.threads, result, progress));
  TRY_ASSIGN(const RuntimePaths runtimes, options.chip.target->find_runtimes(options.runtimes));
  const CompileRequest request{.program = options.program,
                               .runtimes = runtimes,
                               .graph_folder = sources.path(),
                               .output_folder = compiled.path(),
                               .chip = options.chip.chip,
                               .groups = groups_of(files, weights),
                               .jobs = options.jobs,
                               .cache_folder = options.cache_folder,
                               .log_folder = std::filesystem::temp_directory_path()};
  TRY_ASSIGN(const auto groups, options.chip.target->compile(request, progress));
  for (const LayoutContext& context : files.contexts) {
    const auto group = std::ranges::find(groups, context.graphs.front()->name(), &CompiledGroup::name);
    FASTVLM_ASSERT(group != groups.end(), "the compiler answers for each group");
    TRY(place_context(context, *group, compiled.path(), folder, result));
    result.compiler = group->compiler;
  }
  return result;
}

}  // namespace fastvlm::clients
