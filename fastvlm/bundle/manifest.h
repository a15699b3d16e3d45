// manifest.json: what is in an output folder. No time stamp, no absolute path; the same input gives the same bytes.
//
// This is the only reader and the only writer. Sections of strangers are kept as they are when a manifest is written again.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/bundle/graph_entry.h"
#include "fastvlm/bundle/names.h"
#include "fastvlm/checkpoint/model_config.h"
#include "fastvlm/image/preprocess_settings.h"
#include "fastvlm/tensor/convert.h"

namespace fastvlm {

inline constexpr const char* kManifestFormat = "fastvlm-npu export";
inline constexpr int kManifestVersion = 1;

struct Versions {
  std::string fastvlm_npu;
  std::int64_t onnx_opset = 0;
  std::int64_t onnx_ir = 0;
  std::string onnxruntime;      // after compiling
  std::string onnxruntime_qnn;  // after compiling
};

// The extents of the model that the graphs were made from.
struct VisionFacts {
  std::vector<std::int64_t> depths;    // blocks of each stage
  std::vector<std::int64_t> channels;  // of each stage
  std::int64_t hidden_size = 0;        // width of the tower's output
  std::int64_t head_dim = 0;
};
struct ModelFacts {
  std::string model_type;
  TextConfig text;
  VisionFacts vision;
};
ModelFacts model_facts(const ModelConfig& config, const std::string& model_type);

// From a picture to pixel_values.
struct Preprocessing {
  PreprocessSettings settings;  // its size is what the plain encoder was exported for
  std::string layout = "NCHW RGB";
  std::int64_t image_tokens = 0;  // N at that size
};

// How a question is put.
struct PromptContract {
  std::string before_image;
  std::string after_image;  // with "{question}" in it
  std::string splice;       // where the vectors of the picture stand, in words
  // Ids that end a reply besides <|im_end|>. One is written as "stop_token_id", several also as "stop_token_ids".
  std::vector<std::int64_t> stop_token_ids;
  std::optional<std::int64_t> image_token_id;
};

struct Int8TableEntry {
  std::string file;
  double scale = 0;    // x = q * scale
  double sqnr_db = 0;  // signal-to-noise ratio of the table
};

// The embedding table in the codes that the decoders of some recipes take as `inputs_embeds`.
struct CodedTableEntry {
  std::string file;
  Encoding encoding;   // uint16; x = (q - zero_point) * scale
  double sqnr_db = 0;  // signal-to-noise ratio of the table
  std::vector<std::string> recipes;
};

// What a cast did to a weight; see tensor/convert.h.
struct LossEntry {
  std::string weight;
  CastLosses losses;
};

// Where a weight of the graphs lies, which tensors of the checkpoint it came from, and what was done to them.
struct WeightEntry {
  std::string name;  // of the initializer that asked for it first
  std::string file;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  Dtype type = Dtype::kFloat32;
  Shape shape;
  std::vector<std::string> from;
  std::string done;  // "transpose", "fold layer_scale", …; empty: a copy
};

// A stream of the static graphs whose numbers are multiplied by 2^-halvings, because they came too near to the largest number of
// half precision.
struct RangeScale {
  std::string name;     // of its first value
  std::string largest;  // its value that came nearest
  double absmax = 0;    // of that one, as measured
  std::int64_t halvings = 0;
  std::vector<std::string> modules;  // whose outputs are in it
};

// The form that a GELU of the static graphs has, of those in ops/gelu_form.h, and why.
struct GeluEntry {
  std::string name;  // of its node in a graph before expansion: module and "gelu"
  std::string form;  // "exact", "fast" or "joined"
  std::string why;
};

// A context binary below npu/<chip>/ and the ONNX wrappers that open its graphs.
struct ContextEntry {
  struct Wrapped {
    std::string name;     // of the graph
    std::string wrapper;  // the ONNX file beside the binary
  };
  std::string group;
  std::string binary;
  std::uint64_t bytes = 0;
  std::vector<Wrapped> graphs;
};

struct TargetEntry {
  std::string chip;
  std::vector<ContextEntry> contexts;
};

struct ManifestFile {
  std::uint64_t bytes = 0;
  std::string sha256;
  std::string made;  // "copied", "built from vocab.json and merges.txt", "graph", "weights", …
};

struct Manifest {
  Versions versions;
  Dtype dtype = Dtype::kFloat32;  // of weights and arithmetic in the plain graphs: float32 or float16
  ModelFacts model;
  Preprocessing preprocessing;
  PromptContract prompt;
  std::vector<GraphEntry> graphs;
  Int8TableEntry embedding_int8;
  std::vector<CodedTableEntry> embedding_uint16;
  std::vector<std::string> findings;
  std::vector<LossEntry> losses;
  std::vector<RangeScale> range_scales;
  std::vector<GeluEntry> gelus;
  std::vector<WeightEntry> weights;
  std::vector<TargetEntry> targets;            // sorted by chip
  std::map<std::string, std::string> strange;  // sections that this program does not know: name -> JSON text
  std::map<std::string, ManifestFile> files;

  // The first graph of that role, or nullptr.
  const GraphEntry* find(GraphRole role) const;
  // The recipes of its decoder and fused graphs, in their order.
  std::vector<std::string> recipes() const;
  // The static vision graph for this picture size, or nullptr.
  const GraphEntry* vision(std::int64_t image_size) const;
};

// Reads <folder>/manifest.json strictly: every number that is used later is there and within what can be built, and names of files
// stay in the folder. Errors name the file, the key and what was expected.
Result<Manifest> read_manifest(const Path& folder);
// The same from the text of a file that is called `what` in messages.
Result<Manifest> parse_manifest(std::string_view text, const std::string& what);

std::string manifest_text(const Manifest& manifest);
Status write_manifest(const Path& folder, const Manifest& manifest);

// Compares sizes and hashes of the files on disk with the manifest; one sentence for each file that differs.
struct FileProblem {
  std::string file;
  std::string problem;
};
Result<std::vector<FileProblem>> check_manifest_files(const Path& folder, const Manifest& manifest, bool hashes);

}  // namespace fastvlm
