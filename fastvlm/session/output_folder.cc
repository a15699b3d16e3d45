#include "fastvlm/session/output_folder.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "fastvlm/base/try.h"

namespace fastvlm {

Result<OutputFolder> open_static_folder(const Path& path) {
  OutputFolder folder{.path = path};
  TRY_ASSIGN(folder.manifest, read_manifest(path));
  return folder;
}

Result<OutputFolder> open_output_folder(const Path& path) {
  TRY_ASSIGN(OutputFolder folder, open_static_folder(path));
  for (GraphRole role : {GraphRole::kVisionEncoder, GraphRole::kDecoderWithProjection, GraphRole::kTokenEmbedder})
    if (folder.manifest.find(role) == nullptr)
      return bad_input("{}: the graph \"{}\" is not listed", (path / kManifestFile).string(), graph_name(role, {}));
  return folder;
}

Result<OutputFolder> with_recipe(OutputFolder folder, const std::string& wanted) {
  const std::vector<std::string> recipes = folder.manifest.recipes();
  if (recipes.empty() && wanted.empty()) return folder;
  const auto is_there = [&](std::string_view name) { return std::ranges::find(recipes, name) != recipes.end(); };
  const std::string recipe = !wanted.empty() ? wanted : is_there(kFloatRecipe) ? std::string(kFloatRecipe) : recipes.front();
  if (!is_there(recipe))
    return bad_option("recipe", "{}: {} has {}; export again with `recipe` {}", recipe, folder.path.string(),
                      recipes.empty() ? "no decoder graphs for an NPU" : fmt::format("decoder graphs of {} only", fmt::join(recipes, ", ")),
                      recipe);
  std::erase_if(folder.manifest.graphs, [&](const GraphEntry& graph) { return has_decoder(graph.role) && graph.recipe() != recipe; });
  return folder;
}

std::string OutputFolder::recipe() const {
  const std::vector<std::string> recipes = manifest.recipes();
  return recipes.empty() ? std::string(kFloatRecipe) : recipes.front();
}

const GraphEntry& OutputFolder::plain(GraphRole role) const {
  const GraphEntry* graph = manifest.find(role);
  FASTVLM_ASSERT(graph != nullptr, "a plain graph of an opened folder");
  return *graph;
}

Result<EmbeddingTable> EmbeddingTable::open(const OutputFolder& folder) {
  const Path path = folder.path / kFloatTableFile;
  TRY_ASSIGN(MappedFile file, MappedFile::open(path));
  const std::int64_t rows = folder.text().vocab_size, width = folder.text().hidden_size;
  const auto expected = static_cast<std::uint64_t>(rows * width);
  if (file.bytes().size() % 4 != 0 || file.bytes().size() / 4 != expected)
    return bad_input("{}: has {} bytes, but {} vocabulary rows of {} float32 numbers need {}", path.string(), file.bytes().size(), rows,
                     width, fmt::format("{} x 4", expected));
  return EmbeddingTable(std::move(file), rows, width);
}

std::span<const float> EmbeddingTable::row(std::int64_t id) const {
  FASTVLM_ASSERT(id >= 0 && id < rows_, "a token id of the table");
  return {reinterpret_cast<const float*>(file_.bytes().data()) + id * width_, static_cast<std::size_t>(width_)};
}

std::vector<float> EmbeddingTable::vectors(std::span<const std::int32_t> ids) const {
  std::vector<float> vectors;
  vectors.reserve(ids.size() * static_cast<std::size_t>(width_));
  for (const std::int32_t id : ids) {
    const std::span<const float> one = row(id);
    vectors.insert(vectors.end(), one.begin(), one.end());
  }
  return vectors;
}

Result<Tensor> EmbeddingTable::gather(std::span<const std::int64_t> ids) const {
  Tensor result = Tensor::zeros(Dtype::kFloat32, {static_cast<std::int64_t>(ids.size()), width_});
  auto out = result.floats().begin();
  for (std::int64_t id : ids) {
    if (id < 0 || id >= rows_) return bad_input("token id {} is outside the vocabulary of {} rows", id, rows_);
    out = std::ranges::copy(row(id), out).out;
  }
  return result;
}

}  // namespace fastvlm
