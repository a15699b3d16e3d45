#include "fastvlm/bundle/manifest.h"

#include <algorithm>

#include "fastvlm/base/hash.h"
#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

constexpr std::size_t kMaxManifestBytes = std::size_t{256} << 20;

}  // namespace

ModelFacts model_facts(const ModelConfig& config, const std::string& model_type) {
  ModelFacts facts{.model_type = model_type,
                   .text = config.text,
                   .vision = {.hidden_size = config.vision.hidden_size, .head_dim = config.vision.head_dim}};
  for (const VisionStage& stage : config.vision.stages) {
    facts.vision.depths.push_back(stage.blocks);
    facts.vision.channels.push_back(stage.channels);
  }
  return facts;
}

const GraphEntry* Manifest::find(GraphRole role) const {
  const auto at = std::ranges::find(graphs, role, &GraphEntry::role);
  return at == graphs.end() ? nullptr : &*at;
}

const GraphEntry* Manifest::vision(std::int64_t image_size) const {
  const auto at = std::ranges::find_if(
      graphs, [&](const GraphEntry& graph) { return graph.role == GraphRole::kVision && graph.extents.image_size == image_size; });
  return at == graphs.end() ? nullptr : &*at;
}

std::vector<std::string> Manifest::recipes() const {
  std::vector<std::string> names;
  for (const GraphEntry& graph : graphs) {
    if (!has_decoder(graph.role)) continue;
    if (std::ranges::find(names, graph.recipe()) == names.end()) names.emplace_back(graph.recipe());
  }
  return names;
}

Result<Manifest> read_manifest(const Path& folder) {
  const Path path = folder / kManifestFile;
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored)) return bad_input("{}: there is no such folder", folder.string());
  if (!std::filesystem::exists(path, ignored))
    return bad_input("{}: no {} here, so this is no folder written by export", folder.string(), kManifestFile);
  TRY_ASSIGN(const std::string text, read_file(path, kMaxManifestBytes));
  return parse_manifest(text, path.string());
}

Status write_manifest(const Path& folder, const Manifest& manifest) {
  return write_file_atomically(folder / kManifestFile, manifest_text(manifest));
}

Result<std::vector<FileProblem>> check_manifest_files(const Path& folder, const Manifest& manifest, bool hashes) {
  std::vector<FileProblem> problems;
  for (const auto& [name, file] : manifest.files) {
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
