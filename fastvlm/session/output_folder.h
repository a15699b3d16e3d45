// An output folder of export, with what everybody needs who runs its graphs.
#pragma once

#include <functional>
#include <memory>

#include "fastvlm/bundle/manifest.h"
#include "fastvlm/run/runner.h"

namespace fastvlm {

// Opens a graph for running; the caller decides where it runs.
using OpenGraph = std::function<Result<std::unique_ptr<Runner>>(const Path& model)>;

struct OutputFolder {
  Path path;
  Manifest manifest;

  const TextConfig& text() const { return manifest.model.text; }
  std::int64_t vision_width() const { return manifest.model.vision.hidden_size; }
  std::int64_t image_size() const { return manifest.preprocessing.settings.size; }
  std::int64_t image_tokens() const { return manifest.preprocessing.image_tokens; }
  // The plain graphs compute in float16.
  bool half() const { return manifest.dtype == Dtype::kFloat16; }
  // Of the decoder graphs, where all have one: after with_recipe().
  std::string recipe() const;
  // One of the three graphs that every folder has.
  const GraphEntry& plain(GraphRole role) const;
  // Static vision graph for this picture size, or nullptr.
  const GraphEntry* vision(std::int64_t size) const { return manifest.vision(size); }
};

// Reads the manifest; an Error also when one of the three plain graphs is not listed.
Result<OutputFolder> open_output_folder(const Path& folder);
// The same without asking for the plain graphs: what `bundle` makes for a machine has none.
Result<OutputFolder> open_static_folder(const Path& folder);

// The folder with the decoder and fused graphs of one recipe only. Empty: fp16, or else the first there is. A recipe that the folder
// has no graphs of is an Error of wrong usage; without any static graphs only the empty one is none.
Result<OutputFolder> with_recipe(OutputFolder folder, const std::string& recipe);

// The float32 embedding table of a folder, mapped: rows are read when they are used.
class EmbeddingTable {
 public:
  static Result<EmbeddingTable> open(const OutputFolder& folder);
  std::int64_t rows() const { return rows_; }
  std::int64_t width() const { return width_; }
  // Row of a token id that is below rows().
  std::span<const float> row(std::int64_t id) const;
  // The rows of such ids, one after another.
  std::vector<float> vectors(std::span<const std::int32_t> ids) const;
  // [ids, width]; an id outside the table is an Error.
  Result<Tensor> gather(std::span<const std::int64_t> ids) const;

 private:
  EmbeddingTable(MappedFile file, std::int64_t rows, std::int64_t width) : file_(std::move(file)), rows_(rows), width_(width) {}
  MappedFile file_;
  std::int64_t rows_ = 0;
  std::int64_t width_ = 0;
};

}  // namespace fastvlm
