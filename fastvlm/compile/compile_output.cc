#include "fastvlm/compile/compile_output.h"

#include <unistd.h>

#include <algorithm>
#include <map>

#include "fastvlm/base/hash.h"
#include "fastvlm/base/staged_folder.h"
#include "fastvlm/base/try.h"
#include "fastvlm/bundle/manifest.h"

namespace fastvlm {
namespace {

constexpr const char* kNpu = "npu";

Result<std::vector<CompileGroup>> groups_of(const Json& manifest, const std::map<std::string, ManifestFile>& files, const Path& folder) {
  std::map<std::string, CompileGroup> groups;
  std::vector<std::string> order;
  // A graph may name the data file of another group, so every data file counts.
  std::string weights;
  for (const auto& [name, file] : files)
    if (name.starts_with("npu/") && name.ends_with(".data")) weights += file.sha256;
  for (const Json& graph : manifest.value("graphs", Json::array())) {
    const std::string file = graph.value("file", ""), group = graph.value("group", "");
    if (!file.starts_with("npu/") || group.empty()) continue;
    if (!groups.contains(group)) order.push_back(group);
    groups[group].name = group;
    groups[group].graphs.push_back(graph.value("name", ""));
    groups[group].weights_sha256 = weights;
  }
  if (groups.empty()) return bad_input("{}: holds no static graphs for an NPU; export again with --target", folder.string());
  std::vector<CompileGroup> ordered;
  for (const std::string& name : order) ordered.push_back(std::move(groups[name]));
  return ordered;
}

// A compilation was measured to need about five times the bytes of its weights, and 1 GB at least.
unsigned jobs_for(const CompileOptions& options, const std::map<std::string, ManifestFile>& files) {
  if (options.jobs > 0) return options.jobs;
  std::uint64_t largest = 0;
  for (const auto& [name, file] : files)
    if (name.starts_with("npu/") && name.ends_with(".data")) largest = std::max(largest, file.bytes);
  const std::uint64_t need = std::max<std::uint64_t>(std::uint64_t{1} << 30, 5 * largest / 2);
  const auto memory = static_cast<std::uint64_t>(::sysconf(_SC_AVPHYS_PAGES)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const auto cores = static_cast<std::uint64_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
  return static_cast<unsigned>(std::clamp<std::uint64_t>(memory / need, 1, cores));
}

Status enter_files(const Path& folder, const std::string& prefix, std::map<std::string, ManifestFile>& files) {
  std::erase_if(files, [&](const auto& row) { return row.first.starts_with(prefix); });
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(folder / prefix, failure)) {
    const std::string name = prefix + entry.path().filename().string();
    TRY_ASSIGN(std::string hash, sha256_of_file(entry.path()));
    files[name] = {.bytes = entry.file_size(failure), .sha256 = hash, .made = "compiled"};
  }
  return {};
}

Status write_manifest(const Path& folder, const std::map<std::string, ManifestFile>& files, const std::vector<CompiledTarget>& compiled,
                      const RuntimePaths& runtimes) {
  TRY_ASSIGN(std::string text, read_file(folder / kManifestFile, std::size_t{256} << 20));
  OrderedJson manifest = OrderedJson::parse(text);
  if (!runtimes.onnxruntime_version.empty()) {
    manifest["versions"]["onnxruntime"] = runtimes.onnxruntime_version;
    manifest["versions"]["onnxruntime_qnn"] = runtimes.qnn_version;
  }
  OrderedJson& targets = manifest["targets"];
  for (const CompiledTarget& target : compiled) {
    OrderedJson rows = OrderedJson::array();
    for (const CompiledGroup& group : target.groups) {
      OrderedJson graphs = OrderedJson::array();
      for (const CompiledGraph& graph : group.graphs) graphs.push_back({{"name", graph.name}, {"wrapper", graph.wrapper}});
      rows.push_back({{"group", group.name}, {"binary", group.binary}, {"bytes", group.bytes}, {"graphs", graphs}});
    }
    targets[target.target] = rows;
  }
  // The list of files stays the last section.
  manifest.erase("files");
  manifest["files"] = to_json(files);
  return write_file_atomically(folder / kManifestFile, manifest.dump(1) + "\n");
}

}  // namespace

Status check_compile(const CompileOptions& options) {
  TRY_ASSIGN(const auto chips, find_chips(options.known_targets, options.targets));
  TRY(check_precision(chips, Precision::kFloat16));
  for (const ChosenChip& chosen : chips) TRY(chosen.target->check_compiler(options.runtimes, options.sdk));
  return {};
}

Result<std::vector<CompiledTarget>> compile_output(const CompileOptions& options, Progress& progress) {
  TRY(check_compile(options));
  TRY_ASSIGN(const auto chips, find_chips(options.known_targets, options.targets));
  TRY_ASSIGN(Json manifest, read_manifest(options.output_dir));
  TRY_ASSIGN(auto files, manifest_files(manifest, options.output_dir));
  TRY_ASSIGN(auto groups, groups_of(manifest, files, options.output_dir));
  std::vector<CompiledTarget> compiled;
  for (const ChosenChip& chosen : chips) {
    RuntimePaths runtimes;
    if (options.sdk.empty()) {
      TRY_ASSIGN(runtimes, chosen.target->find_runtimes(options.runtimes));
    }
    const std::string& name = chosen.chip->name;
    // What a target had before may always be replaced: the folder is ours, whatever is in it.
    TRY_ASSIGN(StagedFolder staged, StagedFolder::create(options.output_dir / kNpu / name, {.force = true}));
    const CompileRequest request{.program = options.program,
                                 .runtimes = runtimes,
                                 .graph_folder = options.output_dir / kNpu,
                                 .output_folder = staged.path(),
                                 .chip = chosen.chip,
                                 .groups = groups,
                                 .jobs = jobs_for(options, files),
                                 .cache_folder = options.cache_folder,
                                 .log_folder = std::filesystem::temp_directory_path(),
                                 .sdk = options.sdk};
    TRY_ASSIGN(auto done, chosen.target->compile(request, progress));
    TRY(staged.commit());
    TRY(enter_files(options.output_dir, fmt::format("npu/{}/", name), files));
    compiled.push_back({.target = name, .groups = std::move(done)});
    // After each target, so that what is finished stays known when a later one fails.
    TRY(write_manifest(options.output_dir, files, compiled, runtimes));
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
