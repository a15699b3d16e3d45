// The static graphs for an NPU: several image sizes, several prompt lengths, one set of weights.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "fastvlm/bundle/graph_entry.h"
#include "fastvlm/checkpoint/model_config.h"
#include "fastvlm/checkpoint/weights.h"
#include "fastvlm/graph/encoding.h"
#include "fastvlm/graph/graph.h"
#include "fastvlm/ops/gelu_form.h"
#include "fastvlm/ops/rescale.h"
#include "fastvlm/targets/registry.h"

namespace fastvlm {

// One picture size and text length of the graph that does both at once, without a cache.
struct FusedSize {
  std::int64_t vision_tokens = 0;
  std::int64_t text_tokens = 0;
  bool operator==(const FusedSize&) const = default;
};

struct NpuOptions {
  std::vector<std::string> targets;  // names of chips
  Targets known_targets = fastvlm::known_targets();
  std::vector<std::int64_t> image_sizes;      // empty: the export's own
  std::vector<std::int64_t> prefill = {128};  // new tokens of the prefill graphs; 1 is always added
  std::int64_t context = 1024;                // slots of the cache
  bool prefill_logits = true;                 // false: prefill graphs end before the head
  std::vector<FusedSize> fused;
  Dtype io_dtype = Dtype::kFloat32;    // float16: the whole graph in half precision, edges included
  IntegerEdges integer_edges;          // of graphs with integer activations
  std::vector<Recipe> recipes = {{}};  // decoder and fused graphs are made for each
  Recipe vision_recipe;                // of tower and projector: fp16, or one with activations in integers
  std::uint64_t part_limit_bytes = 0;  // 0: the SoC's own; decoders above it are cut into parts
  ops::ScalePlan scales;               // streams that are halved for half precision; see plan_stream_scales()
  ops::GeluForms gelus;                // of tower and projector, where these are in floats
};

// Refuses extents that cannot be, with the reason.
Status check_npu_options(const NpuOptions& options, const ModelConfig& config);

struct NpuGraph {
  GraphRole role;
  GraphExtents extents;
  std::unique_ptr<Graph> graph;  // has the name of bundle/graph_entry.h for these
  std::vector<ops::ChosenGelu> gelus;
};

struct FixedPointPicture {
  std::int64_t size = 0;
  Encoding pixels;
};

// Bytes of the decoder's weights as the NPU keeps them.
struct DecoderBytes {
  std::int64_t layers = 0;
  std::uint64_t layer = 0;  // of the largest
  std::uint64_t head = 0;   // the final norm and the vocabulary matrix
};
// Counted from the graphs of one layer and of the head.
DecoderBytes decoder_bytes(const ModelConfig& config, const Weights& weights, const Recipe& recipe);

// How the decoder is cut: layers [begin, end), then the head.
struct DecoderPart {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  bool head = false;
  std::uint64_t bytes = 0;
};
// One part where the whole fits `limit` bytes; else as many as needed, cut at layer borders, the head last.
std::vector<DecoderPart> decoder_parts(const DecoderBytes& bytes, std::uint64_t limit);

// Which streams of the tower and of the decoder come above `limit` and are scaled. `peaks`: the largest absolute values by the
// names that they have in the static graphs.
ops::ScalePlan plan_stream_scales(const ModelConfig& config, const Weights& weights, const Target& target,
                                  const std::map<std::string, float>& peaks, double limit);

// The vision graph with integers at its door: pixel_values [1, 3, S, S] of the encoding's type, image_features float32. For programs
// that hand pixels on in fixed point only. "vision_256_uint16".
std::unique_ptr<Graph> fixed_point_vision_graph(const ModelConfig& config, const Weights& weights, const NpuOptions& options,
                                                const Target& target, const FixedPointPicture& picture);

std::vector<NpuGraph> npu_graphs(const ModelConfig& config, const Weights& weights, const NpuOptions& options, const Target& target,
                                 std::uint64_t part_limit);

}  // namespace fastvlm
