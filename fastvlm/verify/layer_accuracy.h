// Where accuracy is lost: the output of every module of the static graphs, one by one.
#pragma once

#include <string>
#include <vector>

#include "fastvlm/session/output_folder.h"

namespace fastvlm {

struct LayerRow {
  std::string module;  // "model.layers.3"
  double snr_db = 0;   // 300: equal
};

// One graph, or the decoder graphs of one recipe, in one place.
struct LayerAccuracy {
  std::string graph;           // "vision_1024", "decoder fp16"
  bool on_npu = false;         // false: on the CPU against the plain graphs; true: on the NPU against the same graph on the CPU
  std::vector<LayerRow> rows;  // in the order of computation
};

struct LayerOptions {
  OpenGraph open_cpu;
  OpenGraph open_npu;                  // empty: only the CPU
  Tensor pixel_values;                 // [1, 3, S, S] float32 with S of layer_picture_size()
  std::vector<std::int32_t> text_ids;  // what stands behind the picture; ids of the folder's tokenizer
};

// Side of the picture that measure_layers() takes: that of the export where it has a static graph, else the largest that has one,
// else that of the plain encoder.
std::int64_t layer_picture_size(const OutputFolder& folder);

// Runs tower and decoder with probes at every module that both sides name. A folder without static graphs gives nothing.
Result<std::vector<LayerAccuracy>> measure_layers(const OutputFolder& folder, const LayerOptions& options);

}  // namespace fastvlm
