// One graph of an output folder: what it is for, for which extents, and what it takes and gives.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fastvlm/graph/graph.h"

namespace fastvlm {

enum class GraphRole {
  kVisionEncoder,          // tower alone, symbolic batch
  kDecoderWithProjection,  // projector, embedding and decoder, symbolic extents, no cache
  kTokenEmbedder,          // embedding table
  kVision,                 // static: tower and projector
  kDecoder,                // static: decoder with cache, or a part of it
  kFused,                  // static twin of kDecoderWithProjection
};

// The recipe of graphs whose weights are no integers. Its name stands in no file name.
inline constexpr std::string_view kFloatRecipe = "fp16";

// The static graphs are those for an NPU.
constexpr bool is_static(GraphRole role) { return role >= GraphRole::kVision; }
// Of those, the ones with the text decoder are made once for each recipe.
constexpr bool has_decoder(GraphRole role) { return role == GraphRole::kDecoder || role == GraphRole::kFused; }

// What a decoder's parts take and give: the first one embeddings, the others what the part before gives.
inline constexpr const char* kInputsEmbeds = "inputs_embeds";
inline constexpr const char* kHiddenStatesIn = "hidden_states_in";
inline constexpr const char* kHiddenStatesOut = "hidden_states_out";
// Keys and values: "past_key_3_in", "past_value_3_out".
constexpr bool is_cache(std::string_view name) { return name.starts_with("past_"); }

// What a static graph was made for; 0 where it does not apply.
struct GraphExtents {
  std::int64_t image_size = 0;     // kVision: side of the picture in pixels
  std::int64_t new_tokens = 0;     // kDecoder: tokens of one run
  std::int64_t context = 0;        // kDecoder: slots of the cache, the new tokens included
  std::int64_t part = 1;           // kDecoder: 1 … parts
  std::int64_t parts = 1;          // kDecoder
  std::int64_t vision_tokens = 0;  // kFused
  std::int64_t text_tokens = 0;    // kFused
  std::string recipe = {};         // whose encodings its weights have; empty: fp16, none
  bool operator==(const GraphExtents&) const = default;
};

// An input or output.
struct ValueEntry {
  std::string name;
  Dtype type = Dtype::kFloat32;
  Dims shape;  // symbolic extents keep their names
  // Of numbers that are taken or given as codes of `type`.
  std::optional<Encoding> encoding = {};
  // What callers of with_float_edges() take and give.
  Dtype number_type() const { return encoding ? Dtype::kFloat32 : type; }
  bool operator==(const ValueEntry&) const = default;
};

struct GraphEntry {
  std::string name;
  std::string file;  // relative to the output folder
  GraphRole role = GraphRole::kVisionEncoder;
  std::string precision;  // of weights and arithmetic: the name of a type, and where a recipe says more, the recipe's
  GraphExtents extents;
  std::vector<ValueEntry> inputs;
  std::vector<ValueEntry> outputs;
  std::int64_t nodes = 0;
  std::map<std::string, std::int64_t> operators;  // how many nodes of each; "domain::op" outside the ONNX domain
  int weight_bits = 0;                            // the fewest of its weights in integers; 0: none is
  Activations activations = Activations::kFloat;  // integers have another opset; see onnx_versions()
  std::int64_t macs = 0;                          // of one run with batch 1; 0 where that depends on the prompt
  std::string group;                              // static graphs of one group share their weights in one context
  bool npu() const { return is_static(role); }
  std::string_view recipe() const { return extents.recipe.empty() ? kFloatRecipe : std::string_view(extents.recipe); }
  bool operator==(const GraphEntry&) const = default;
};

// Of an ONNX file.
struct OnnxVersions {
  std::int64_t opset = 17;
  std::int64_t ir = 8;
};
// 16-bit integers in QuantizeLinear came with opset 21.
constexpr OnnxVersions onnx_versions(Activations activations) {
  return activations == Activations::kFloat ? OnnxVersions() : OnnxVersions{.opset = 21, .ir = 10};
}

// "vision_256", "decoder_ar128_cl1024", "decoder_ar1_cl1024_w8_part_1_of_3", "fused_v16_t32"; the plain graphs have fixed names.
std::string graph_name(GraphRole role, const GraphExtents& extents);
// "vision", "decoder", "decoder_w8_part_1_of_3", "fused_v16_t32"; empty for plain graphs.
std::string group_name(GraphRole role, const GraphExtents& extents);

// The entry of a graph that is finished: file, group, inputs, outputs, operators and what is integers are read off it. `precision` is that
// of its weights and arithmetic.
GraphEntry graph_entry(const Graph& graph, GraphRole role, const GraphExtents& extents, Dtype precision);

}  // namespace fastvlm
