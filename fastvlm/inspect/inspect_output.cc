// Output folders of export.
#include "fastvlm/base/try.h"
#include "fastvlm/bundle/manifest_json.h"
#include "fastvlm/inspect/inspect_parts.h"

namespace fastvlm::inspecting {

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
  facts["findings"] = manifest.findings;
  facts["weights"] = manifest.weights.size();
  if (options.tensors) facts["tensor_list"] = to_json(manifest.weights);
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
