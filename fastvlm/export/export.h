// export: a checkpoint folder becomes an output folder. prepare_export() reads headers and authors every graph; plan shows
// what came of it; run_export() writes it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fastvlm/author/static_graphs.h"
#include "fastvlm/base/json.h"
#include "fastvlm/base/progress.h"
#include "fastvlm/bundle/manifest.h"
#include "fastvlm/checkpoint/model_config.h"
#include "fastvlm/checkpoint/weights.h"
#include "fastvlm/onnx/data_layout.h"
#include "fastvlm/quant/encodings_file.h"
#include "fastvlm/quant/ranges.h"
#include "fastvlm/rewrite/pipeline.h"
#include "fastvlm/tensor/convert.h"

namespace fastvlm {

// What was measured, and how near to the largest number of half precision a stream may come, as a part of it.
struct RangeOptions {
  enum class Source { kMeasured, kBuiltIn, kAssumed };  // kAssumed: not measured yet; for a plan, run_export() refuses it

  Ranges ranges;
  double share = 0.125;
  Source source = Source::kMeasured;
};

// Which forms the GELUs of the static graphs get; see ops/gelu_form.h.
enum class GeluPolicy {
  kAuto,   // where ranges were measured, the quick one that loses less there; else exact
  kExact,  // all exact
  kFast,   // all fast
};

struct ExportOptions {
  Path model_dir;
  Path output_dir;
  Path base_model;                         // model that the adapter in model_dir is merged into; empty: model_dir is a model
  std::optional<std::int64_t> image_size;  // nothing: what the checkpoint was trained with
  Dtype dtype = Dtype::kFloat32;           // float32 or float16
  bool force = false;                      // replace an earlier export
  bool refuse_not_finite = false;          // NaN or infinite weights are an error, not a finding
  Path reuse = {};                         // an earlier export, whose equal weights are linked; empty: none
  unsigned threads = 0;                    // 0: as many as pay
  std::optional<NpuOptions> npu;           // adds npu/ with the static graphs
  std::optional<RangeOptions> ranges;      // streams of the static graphs that come too near to the limit are scaled
  GeluPolicy gelu = GeluPolicy::kAuto;
  // Version of the files of encodings beside static graphs with integers; nothing: none are written.
  std::optional<EncodingsVersion> encodings = EncodingsVersion::k100;
  bool must_run = false;  // matrices that the chips cannot multiply are an error; calibrate runs the graphs on the CPU
  rewrite::PipelineOptions passes;
};

// A graph, ready to be written.
struct PreparedGraph {
  GraphEntry entry;  // its row in the manifest
  std::unique_ptr<Graph> graph;
  std::vector<rewrite::PassOutcome> passes;
};

// What a recipe asks of a chip.
struct PrecisionNeed {
  std::string what;  // "recipe w8a16", "the tower with recipe fp16"
  Precision precision = Precision::kFloat16;
  std::string why = {};  // ", which multiplies "a.weight" in half precision"; empty where its activations tell

  std::string sentence() const { return what + why; }
};

// A file of encodings.
struct PreparedEncodings {
  std::string file;
  std::vector<TensorEncoding> tensors;
};

// Everything but the bytes of the weights.
struct PreparedExport {
  ExportOptions options;
  std::unique_ptr<Checkpoint> checkpoint;
  ModelConfig config;
  std::int64_t image_size = 0;
  std::vector<std::string> findings;
  std::vector<PreparedGraph> graphs;
  ops::ScalePlan scales;                // of the static graphs
  std::vector<ops::ChosenGelu> gelus;   // of these, each once
  std::vector<PrecisionNeed> matrices;  // recipes without half precision whose matrices need it all the same, each once
  DataLayout data;                      // of the plain graphs, beside them
  DataLayout npu_data;                  // of npu/, beside those: ONNX Runtime refuses data outside the graph's folder
  WeightPtr embedding;
  std::vector<PreparedEncodings> encodings;        // of the static graphs
  std::map<std::string, std::string> small_files;  // tokenizer and configs: name -> bytes
  std::map<std::string, std::string> made;         // name -> how
  std::map<std::string, std::string> onnx_files;   // name -> bytes
  std::map<std::string, CastLosses> losses;        // of the weights that are stored in these
};

// Wrong options, a checkpoint that is damaged or not FastVLM, a model that does not fit: an Error.
// Everything but the small files, which take longer than the graphs because a tokenizer is large.
Result<std::unique_ptr<PreparedExport>> prepare_graphs(const ExportOptions& options);
Result<std::unique_ptr<PreparedExport>> prepare_graphs(const ExportOptions& options, Checkpoint checkpoint);
Status add_side_files(PreparedExport& prepared);
// Both.
Result<std::unique_ptr<PreparedExport>> prepare_export(const ExportOptions& options);

struct PlannedFile {
  std::string name;
  std::uint64_t bytes = 0;
  std::string made;
};
// Every file with its exact size, manifest.json included.
std::vector<PlannedFile> planned_files(const PreparedExport& prepared);

// What `plan --json` prints.
OrderedJson plan_json(const PreparedExport& prepared);

// Upper bound of resident memory while writing.
std::uint64_t planned_peak_memory(const PreparedExport& prepared);

struct ExportReport {
  std::map<std::string, ManifestFile> files;
  std::vector<std::string> findings;
  std::uint64_t bytes = 0;
  std::uint64_t reused = 0;  // of these, those of `ExportOptions::reuse`
};

// Writes the output folder, whole or not at all.
Result<ExportReport> run_export(const ExportOptions& options, Progress& progress);

}  // namespace fastvlm
