// export and plan: a checkpoint folder becomes an output folder. Paths are UTF-8.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fastvlm/api/runtimes.h"
#include "fastvlm/base/error.h"

namespace fastvlm::api {

struct Work;  // work.h

// One picture and text length of a graph that does both at once.
struct FusedExtents {
  std::int64_t vision_tokens = 0;
  std::int64_t text_tokens = 0;
};

// Which static graphs npu/ gets.
struct NpuOptions {
  std::vector<std::string> targets = {};       // chips, such as "sm8750"
  std::vector<std::int64_t> image_sizes = {};  // empty: the export's own
  std::vector<std::int64_t> prefill = {128};   // prompt tokens of one call; 1 is always added
  std::int64_t context = 1024;                 // tokens of prompt and reply together
  bool prefill_logits = true;
  std::vector<FusedExtents> fused = {};
  std::vector<std::string> recipes = {"fp16"};  // of the decoder's weights: fp16, w8, w4 or the path of a recipe
  bool float16_io = false;                      // inputs and outputs in half precision
  std::uint64_t part_limit_bytes = 0;           // 0: the chip's limit; decoders above it are cut into parts
  bool compile = true;                          // false: graphs, but no context binaries
  unsigned jobs = 0;                            // contexts compiled at a time; 0: as many as memory allows
};

struct ExportOptions {
  std::string model_dir;
  std::string base_model = {};  // model that a LoRA adapter in model_dir is merged into; empty: model_dir is a model
  std::string output_dir = {};
  std::optional<std::int64_t> image_size = {};  // nothing: what the checkpoint was trained with
  bool float16 = false;                         // weights of the plain graphs
  bool force = false;                           // replace an earlier export
  bool refuse_not_finite = false;               // NaN or infinite weights are an error, not a finding
  std::optional<NpuOptions> npu = {};
  Runtimes runtimes = {};  // for compiling
};

struct ExportedFile {
  std::string name;  // relative to the output folder
  std::uint64_t bytes = 0;
  std::string sha256;
};

struct ExportReport {
  std::vector<ExportedFile> files;  // by name, without manifest.json
  std::uint64_t bytes = 0;          // of all files
  std::vector<std::string> findings;
};

// Writes the output folder, whole or not at all; with npu.compile the contexts as well.
Result<ExportReport> export_checkpoint(const ExportOptions& options);
Result<ExportReport> export_checkpoint(const ExportOptions& options, const Work& work);

struct PlannedFile {
  std::string name;
  std::uint64_t bytes = 0;
};

struct Plan {
  std::int64_t image_size = 0;
  std::vector<PlannedFile> files;  // exact sizes, without contexts
  std::uint64_t total_bytes = 0;
  std::uint64_t peak_memory_bytes = 0;  // while writing
  std::vector<std::string> findings;
};

// What export_checkpoint() would write. Reads headers only and writes nothing.
Result<Plan> plan_export(const ExportOptions& options);

}  // namespace fastvlm::api
