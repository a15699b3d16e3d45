// Output folders of export.
#include <algorithm>

#include "fastvlm/base/try.h"
#include "fastvlm/bundle/manifest_json.h"
#include "fastvlm/compile/speed_bound.h"
#include "fastvlm/inspect/inspect_parts.h"
#include "fastvlm/inspect/weight_accuracy.h"
#include "fastvlm/targets/compile_load.h"
#include "fastvlm/targets/registry.h"

namespace fastvlm::inspecting {

void add_speed_bounds(const Path& folder, const Manifest& manifest, const SpeedBoundOf& of, OrderedJson& facts) {
  std::vector<GraphWork> works;
  for (const GraphEntry& graph : manifest.graphs) {
    if (!graph.npu() || (!of.graphs.empty() && std::ranges::find(of.graphs, graph.name) == of.graphs.end())) continue;
    const auto bytes = stored_weight_total(folder / graph.file);
    if (!bytes.ok()) return;  // whatever is wrong with the file is told elsewhere
    GraphWork& work = works.emplace_back(GraphWork{.graph = graph, .weight_bytes = *bytes});
    if (const auto spilled = of.spill_fill_bytes.find(graph.name); spilled != of.spill_fill_bytes.end())
      work.spill_fill_bytes = spilled->second;
  }
  const std::vector<RunWork> runs = runs_of(works);
  if (runs.empty()) return;
  OrderedJson bounds = OrderedJson::array();
  for (const std::string& name : of.chips)
    if (const auto chosen = find_chip(known_targets(), name); chosen.ok()) bounds.push_back(speed_bound_json(*chosen->chip, runs));
  if (!bounds.empty()) facts["speed_bounds"] = std::move(bounds);
}

Status add_output_folder(const InspectOptions& options, InspectReport& report) {
  TRY_ASSIGN(const Manifest manifest, read_manifest(options.path));
  TRY_ASSIGN(auto problems, check_manifest_files(options.path, manifest, options.hashes));
  OrderedJson& facts = report.facts;
  facts["kind"] = "output folder";
  facts["versions"] = to_json(manifest.versions);
  facts["dtype"] = name(manifest.dtype);
  facts["model"] = to_json(manifest.model);
  facts["preprocessing"] = to_json(manifest.preprocessing);
  facts["graphs"] = OrderedJson::array();
  for (const GraphEntry& graph : manifest.graphs) facts["graphs"].push_back(to_json(graph));
  if (!manifest.targets.empty()) facts["targets"] = to_json(manifest.targets);
  SpeedBoundOf of;
  for (const TargetEntry& target : manifest.targets) of.chips.push_back(target.chip);
  add_speed_bounds(options.path, manifest, of, facts);
  facts["findings"] = manifest.findings;
  facts["weights"] = manifest.weights.size();
  if (options.tensors) facts["tensor_list"] = to_json(manifest.weights);
  if (options.accuracy) {
    TRY_ASSIGN(const auto all, weight_accuracy(options.path, manifest));
    facts["weight_accuracy"] = OrderedJson::array();
    for (const RecipeAccuracy& one : all) facts["weight_accuracy"].push_back(to_json(one));
  }
  std::uint64_t bytes = 0;
  for (const auto& [name, file] : manifest.files) bytes += file.bytes;
  facts["bytes"] = bytes;
  facts["files"] = to_json(manifest.files);
  facts["hashes_checked"] = options.hashes;
  facts["problems"] = OrderedJson::array();
  for (const FileProblem& problem : problems) facts["problems"].push_back({{"file", problem.file}, {"problem", problem.problem}});
  if (!problems.empty())
    report.problem = check_failed("{}: {} of {} files differ from {}; the first is {}, which {}", options.path.string(), problems.size(),
                                  manifest.files.size(), kManifestFile, problems[0].file, problems[0].problem);
  return {};
}

}  // namespace fastvlm::inspecting
