#include "fastvlm/bundle/manifest.h"

#include "fastvlm/base/hash.h"
#include "fastvlm/base/try.h"

namespace fastvlm {

Result<Json> read_manifest(const Path& folder) {
  const Path path = folder / kManifestFile;
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored)) return bad_input("{}: there is no such folder", folder.string());
  if (!std::filesystem::exists(path, ignored))
    return bad_input("{}: no {} here, so this is no folder written by export", folder.string(), kManifestFile);
  TRY_ASSIGN(Json manifest, read_json_file(path));
  TRY_ASSIGN(std::string format, json_string(manifest, "format", path.string()));
  TRY_ASSIGN(std::int64_t version, json_integer(manifest, "format_version", path.string()));
  if (format != kManifestFormat) return bad_input("{}: format \"{}\" is not \"{}\"", path.string(), format, kManifestFormat);
  if (version != kManifestVersion)
    return bad_input("{}: written in format version {}, this program reads {}; export again", path.string(), version, kManifestVersion);
  return manifest;
}

Result<std::map<std::string, ManifestFile>> manifest_files(const Json& manifest, const Path& folder) {
  const std::string what = (folder / kManifestFile).string();
  const Json* rows = json_find(manifest, "files");
  if (rows == nullptr || !rows->is_array()) return bad_input("{}: \"files\" must be a list", what);
  std::map<std::string, ManifestFile> files;
  for (const Json& row : *rows) {
    TRY_ASSIGN(std::string name, json_string(row, "name", what));
    TRY_ASSIGN(std::int64_t bytes, json_integer(row, "bytes", what));
    TRY_ASSIGN(std::string sha256, json_string(row, "sha256", what));
    TRY_ASSIGN(std::string made, json_string(row, "made", what));
    if (bytes < 0) return bad_input("{}: file \"{}\" has a negative size", what, name);
    const Path path(name);
    if (path.is_absolute() || name.find("..") != std::string::npos) return bad_input("{}: file name \"{}\" leaves the folder", what, name);
    files[name] = {.bytes = static_cast<std::uint64_t>(bytes), .sha256 = sha256, .made = made};
  }
  return files;
}

OrderedJson to_json(const std::map<std::string, ManifestFile>& files) {
  OrderedJson rows = OrderedJson::array();
  for (const auto& [name, file] : files)
    rows.push_back({{"name", name}, {"bytes", file.bytes}, {"sha256", file.sha256}, {"made", file.made}});
  return rows;
}

Result<std::vector<FileProblem>> check_manifest_files(const Path& folder, bool hashes) {
  TRY_ASSIGN(Json manifest, read_manifest(folder));
  TRY_ASSIGN(auto files, manifest_files(manifest, folder));
  std::vector<FileProblem> problems;
  for (const auto& [name, file] : files) {
    std::error_code failure;
    const auto bytes = std::filesystem::file_size(folder / name, failure);
    if (failure) {
      problems.push_back({name, "is missing"});
    } else if (bytes != file.bytes) {
      problems.push_back({name, fmt::format("has {} bytes, the manifest says {}", bytes, file.bytes)});
    } else if (hashes) {
      TRY_ASSIGN(std::string sha256, sha256_of_file(folder / name));
      if (sha256 != file.sha256)
        problems.push_back({name, fmt::format("has SHA-256 {}…, the manifest says {}…", sha256.substr(0, 12), file.sha256.substr(0, 12))});
    }
  }
  return problems;
}

}  // namespace fastvlm
