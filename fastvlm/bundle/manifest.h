// manifest.json: what is in an output folder. No time stamp, no absolute path; the same input gives the same bytes.
#pragma once

#include <map>
#include <string>

#include "fastvlm/base/files.h"
#include "fastvlm/base/json.h"

namespace fastvlm {

inline constexpr const char* kManifestFile = "manifest.json";
inline constexpr const char* kManifestFormat = "fastvlm-npu export";
inline constexpr int kManifestVersion = 1;

struct ManifestFile {
  std::uint64_t bytes = 0;
  std::string sha256;
  std::string made;  // "copied", "built from vocab.json and merges.txt", "graph", "weights", …
};

// Reads and checks format and version.
Result<Json> read_manifest(const Path& folder);

// The "files" section of a manifest.
Result<std::map<std::string, ManifestFile>> manifest_files(const Json& manifest, const Path& folder);

OrderedJson to_json(const std::map<std::string, ManifestFile>& files);

// Compares sizes and hashes of the files on disk with the manifest; one sentence for each file that differs.
struct FileProblem {
  std::string file;
  std::string problem;
};
Result<std::vector<FileProblem>> check_manifest_files(const Path& folder, bool hashes);

}  // namespace fastvlm
