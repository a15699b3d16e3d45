// Output folders of export.
#include "fastvlm/base/try.h"
#include "fastvlm/bundle/manifest.h"
#include "fastvlm/inspect/inspect_parts.h"

namespace fastvlm::inspecting {

Status add_output_folder(const InspectOptions& options, InspectReport& report) {
  TRY_ASSIGN(Json manifest, read_manifest(options.path));
  TRY_ASSIGN(auto files, manifest_files(manifest, options.path));
  TRY_ASSIGN(auto problems, check_manifest_files(options.path, options.hashes));
  OrderedJson& facts = report.facts;
  facts["kind"] = "output folder";
  for (const char* key : {"versions", "dtype", "model", "preprocessing", "graphs", "targets", "findings"})
    if (const Json* value = json_find(manifest, key)) facts[key] = *value;
  if (const Json* weights = json_find(manifest, "weights"); weights != nullptr && weights->is_array()) {
    facts["weights"] = weights->size();
    if (options.tensors) facts["tensor_list"] = *weights;
  }
  std::uint64_t bytes = 0;
  for (const auto& [name, file] : files) bytes += file.bytes;
  facts["bytes"] = bytes;
  facts["files"] = to_json(files);
  facts["hashes_checked"] = options.hashes;
  facts["problems"] = OrderedJson::array();
  for (const FileProblem& problem : problems) facts["problems"].push_back({{"file", problem.file}, {"problem", problem.problem}});
  if (!problems.empty())
    report.problem = check_failed("{}: {} of {} files differ from {}; the first is {}, which {}", options.path.string(), problems.size(),
                                  files.size(), kManifestFile, problems[0].file, problems[0].problem);
  return {};
}

}  // namespace fastvlm::inspecting
