// An output folder of export, as its manifest tells it, with what everybody needs who runs its graphs.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/base/json.h"
#include "fastvlm/run/runner.h"

namespace fastvlm {

// Opens a graph for running; the caller decides where it runs.
using OpenGraph = std::function<Result<std::unique_ptr<Runner>>(const Path& model)>;

struct GraphFile {
  std::string name;
  std::string file;             // relative to the folder
  std::string group;            // of NPU graphs: "vision", "decoder", "decoder_part_1_of_3", "fused_v16_t32"
  std::int64_t image_size = 0;  // NPU vision graphs
  std::int64_t new_tokens = 0;  // NPU decoder graphs
  std::int64_t context = 0;
  std::int64_t part = 1;  // 1 … parts
  std::int64_t parts = 1;
  std::int64_t vision_tokens = 0;  // fused graphs
  std::int64_t text_tokens = 0;
  bool npu() const { return !group.empty(); }
};

struct OutputFolder {
  Path path;
  Json manifest;
  bool half = false;  // the plain graphs compute in float16
  std::int64_t image_size = 0;
  std::int64_t image_tokens = 0;
  std::int64_t vision_width = 0;
  std::int64_t hidden_size = 0;
  std::int64_t num_hidden_layers = 0;
  std::int64_t vocab_size = 0;
  std::int64_t head_dim = 0;
  double rope_theta = 0;
  std::vector<GraphFile> graphs;

  const GraphFile* find(const std::string& name) const;
  // NPU vision graph for this picture size, or nullptr.
  const GraphFile* vision(std::int64_t size) const;
  bool has_decoder() const;
};

// Reads manifest.json strictly: every number that is used later is there and above 0, and file names stay in the folder.
Result<OutputFolder> open_output_folder(const Path& folder);

inline constexpr const char* kVisionEncoderName = "fastvlm_vision_encoder";
inline constexpr const char* kDecoderName = "fastvlm_decoder_with_projection";
inline constexpr const char* kTokenEmbedderName = "fastvlm_token_embedder";

// The float32 embedding table of a folder, mapped: rows are read when they are used.
class EmbeddingTable {
 public:
  static Result<EmbeddingTable> open(const OutputFolder& folder);
  std::int64_t rows() const { return rows_; }
  std::int64_t width() const { return width_; }
  // Row of a token id that is below rows().
  std::span<const float> row(std::int64_t id) const;
  // [ids, width]; an id outside the table is an Error.
  Result<Tensor> gather(std::span<const std::int64_t> ids) const;

 private:
  EmbeddingTable(MappedFile file, std::int64_t rows, std::int64_t width) : file_(std::move(file)), rows_(rows), width_(width) {}
  MappedFile file_;
  std::int64_t rows_ = 0;
  std::int64_t width_ = 0;
};

}  // namespace fastvlm
