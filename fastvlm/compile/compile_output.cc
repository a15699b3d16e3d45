#include "fastvlm/compile/compile_output.h"

#include <fmt/format.h>

#include <algorithm>

#include "fastvlm/base/hash.h"
#include "fastvlm/base/staged_folder.h"
#include "fastvlm/base/temporary_folder.h"
#include "fastvlm/base/try.h"
#include "fastvlm/bundle/manifest.h"
#include "fastvlm/bundle/names.h"
#include "fastvlm/compile/graph_weights.h"

namespace fastvlm {
namespace {

// What lies in the chip's folder now is what the manifest says about it.
Status enter_files(const Path& folder, const std::string& chip, std::map<std::string, ManifestFile>& files) {
  const std::string prefix = compiled_folder(chip);
  std::erase_if(files, [&](const auto& row) { return row.first.starts_with(prefix); });
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(folder / prefix, failure)) {
    TRY_ASSIGN(std::string hash, sha256_of_file(entry.path()));
    files[prefix + entry.path().filename().string()] = {.bytes = entry.file_size(failure), .sha256 = hash, .made = "compiled"};
  }
  return {};
}

void enter_target(const CompiledTarget& compiled, const RuntimePaths& runtimes, Manifest& manifest) {
  if (!runtimes.onnxruntime_version.empty()) {
    manifest.versions.onnxruntime = runtimes.onnxruntime_version;
    manifest.versions.onnxruntime_qnn = runtimes.qnn_version;
  }
  TargetEntry entry{.chip = compiled.target};
  for (const CompiledGroup& group : compiled.groups) {
    entry.contexts.push_back({.group = group.name, .binary = group.binary, .bytes = group.bytes});
    for (const CompiledGraph& graph : group.graphs) entry.contexts.back().graphs.push_back({graph.name, graph.wrapper});
  }
  std::erase_if(manifest.targets, [&](const TargetEntry& target) { return target.chip == entry.chip; });
  manifest.targets.push_back(std::move(entry));
  std::ranges::sort(manifest.targets, {}, &TargetEntry::chip);
}

// What compile_output() and compile_shard() begin with.
struct Prepared {
  std::vector<ChosenChip> chips;
  Manifest manifest;
  std::vector<CompileGroup> groups;
};
Result<Prepared> prepare(const CompileOptions& options) {
  TRY(check_compile(options));
  Prepared prepared;
  TRY_ASSIGN(prepared.chips, find_chips(options.known_targets, options.targets));
  TRY_ASSIGN(prepared.manifest, read_manifest(options.output_dir));
  for (const GraphEntry& graph : prepared.manifest.graphs)
    if (graph.npu()) TRY(check_graph_runs(graph, prepared.chips));
  TRY_ASSIGN(prepared.groups, compile_groups(prepared.manifest, options.output_dir));
  return prepared;
}

struct ChipWork {
  const ChosenChip& chosen;
  Path output_folder;
  RuntimePaths runtimes;  // none with an SDK
};
Result<RuntimePaths> runtimes_for(const CompileOptions& options, const ChosenChip& chosen) {
  if (!options.sdk.empty()) return RuntimePaths();
  return chosen.target->find_runtimes(options.runtimes);
}
CompileRequest request_for(const CompileOptions& options, const ChipWork& work, std::vector<CompileGroup> groups) {
  return {.program = options.program,
          .runtimes = work.runtimes,
          .graph_folder = options.output_dir / kNpuFolder,
          .output_folder = work.output_folder,
          .chip = work.chosen.chip,
          .groups = std::move(groups),
          .jobs = options.jobs,
          .cache_folder = options.cache_folder,
          .log_folder = std::filesystem::temp_directory_path(),
          .sdk = options.sdk};
}

}  // namespace

Result<std::vector<CompileGroup>> compile_groups(const Manifest& manifest, const Path& folder) {
  std::vector<CompileGroup> groups;
  for (const GraphEntry& graph : manifest.graphs) {
    if (!graph.npu()) continue;
    auto group = std::ranges::find(groups, graph.group, &CompileGroup::name);
    if (group == groups.end()) group = groups.insert(groups.end(), {.name = graph.group});
    group->graphs.push_back(graph.name);
  }
  if (groups.empty()) return bad_input("{}: holds no static graphs for an NPU; export again with `targets`", folder.string());
  for (CompileGroup& group : groups) {
    std::vector<Path> graphs;
    for (const std::string& graph : group.graphs) graphs.push_back(folder / graph_file(graph, /*npu=*/true));
    TRY_ASSIGN(group.weights_sha256, weights_identity(manifest, graphs));
  }
  return groups;
}

Status check_compile(const CompileOptions& options) {
  TRY_ASSIGN(const auto chips, find_chips(options.known_targets, options.targets));
  for (const ChosenChip& chosen : chips) TRY(chosen.target->check_compiler(options.runtimes, options.sdk));
  return {};
}

Status check_graph_runs(const GraphEntry& graph, std::span<const ChosenChip> chips) {
  const Status possible = check_precision(chips, precision_of(graph.activations));
  if (possible.ok()) return {};
  Error error = possible.error();
  error.message = fmt::format("{} (recipe {}): {}, or export for this one without that recipe", graph.file, graph.recipe(), error.message);
  return error;
}

Result<std::vector<CompiledTarget>> compile_output(const CompileOptions& options, Progress& progress) {
  TRY_ASSIGN(Prepared prepared, prepare(options));
  Manifest& manifest = prepared.manifest;
  std::vector<CompiledTarget> compiled;
  for (const ChosenChip& chosen : prepared.chips) {
    const std::string& name = chosen.chip->name;
    TRY_ASSIGN(const RuntimePaths runtimes, runtimes_for(options, chosen));
    // What a target had before may always be replaced: the folder is ours, whatever is in it.
    TRY_ASSIGN(StagedFolder staged, StagedFolder::create(options.output_dir / compiled_folder(name), {.force = true}));
    const ChipWork work{.chosen = chosen, .output_folder = staged.path(), .runtimes = runtimes};
    TRY_ASSIGN(auto done, chosen.target->compile(request_for(options, work, prepared.groups), progress));
    TRY(staged.commit());
    TRY(enter_files(options.output_dir, name, manifest.files));
    compiled.push_back({.target = name, .groups = std::move(done)});
    enter_target(compiled.back(), runtimes, manifest);
    // After each target, so that what is finished stays known when a later one fails.
    TRY(write_manifest(options.output_dir, manifest));
  }
  return compiled;
}

Result<std::vector<CompiledTarget>> compile_shard(const CompileOptions& options, const Shard& shard, Progress& progress) {
  if (options.cache_folder.empty() || !options.sdk.empty())
    return bad_option("shard", "{}: what it compiles is kept in the cache, so it needs one and takes no `sdk`", to_string(shard));
  TRY_ASSIGN(const Prepared prepared, prepare(options));
  const std::size_t each = prepared.groups.size(), total = each * prepared.chips.size();
  std::vector<CompiledTarget> compiled;
  for (std::size_t chip = 0; chip < prepared.chips.size(); ++chip) {
    // The contexts of all chips, one behind the other.
    const std::size_t begin = std::clamp(shard.begin(total), chip * each, (chip + 1) * each) - chip * each;
    const std::size_t end = std::clamp(shard.end(total), chip * each, (chip + 1) * each) - chip * each;
    if (begin == end) continue;
    const ChosenChip& chosen = prepared.chips[chip];
    TRY_ASSIGN(const RuntimePaths runtimes, runtimes_for(options, chosen));
    TRY_ASSIGN(const TemporaryFolder folder, TemporaryFolder::create());
    const ChipWork work{.chosen = chosen, .output_folder = folder.path(), .runtimes = runtimes};
    const auto at = [&](std::size_t index) { return prepared.groups.begin() + static_cast<std::ptrdiff_t>(index); };
    TRY_ASSIGN(auto done, chosen.target->compile(request_for(options, work, {at(begin), at(end)}), progress));
    compiled.push_back({.target = chosen.chip->name, .groups = std::move(done)});
  }
  return compiled;
}

OrderedJson compiled_json(const std::vector<CompiledTarget>& targets) {
  OrderedJson rows = OrderedJson::array();
  for (const CompiledTarget& target : targets)
    for (const CompiledGroup& group : target.groups) {
      OrderedJson graphs = OrderedJson::array();
      for (const CompiledGraph& graph : group.graphs)
        graphs.push_back({{"name", graph.name}, {"wrapper", graph.wrapper}, {"backend_seconds", graph.seconds}});
      rows.push_back({{"target", target.target},
                      {"group", group.name},
                      {"binary", group.binary},
                      {"bytes", group.bytes},
                      {"graphs", graphs},
                      {"seconds", group.seconds},
                      {"peak_rss_bytes", group.peak_rss_bytes},
                      {"cached", group.cached}});
    }
  return rows;
}

}  // namespace fastvlm
