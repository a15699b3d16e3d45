#include "fastvlm/clients/cached_files.h"

#include "fastvlm/clients/chip_layout.h"

#include "fastvlm/ops/onnxruntime_expansions.h"

namespace fastvlm::clients {
namespace {

constexpr std::int64_t kBlock = 32;

constexpr WeightEncoding kHalf = {.blocks = {.bits = ops::kHalfPrecision, .block = kBlock}};
constexpr WeightEncoding kEightBits = {.blocks = {.bits = 8, .block = kBlock}};
constexpr WeightEncoding kFourBits = {.blocks = {.bits = 4, .block = kBlock, .shifted = true}};

}  // namespace

// Chosen by the error of the logits on the golden folders. Attention costs most, that of the first layer above all: every later one works
// on what it makes.
std::vector<EncodingRule> variant_rules(int bits) {
  if (bits == 8)
    return {{.match = "model.layers.0.*", .weights = kHalf},
            {.match = "model.layers.*.self_attn.*", .weights = kHalf},
            {.match = "*", .weights = kEightBits}};
  if (bits == 4)
    return {{.match = "model.layers.0.self_attn.*", .weights = kHalf},
            {.match = "model.layers.0.*", .weights = kEightBits},
            {.match = "model.layers.*.mlp.*", .weights = kFourBits},
            {.match = "*", .weights = kEightBits}};
  return {};
}

VariantGraphs graphs_of(const LayoutInput& input, const Variant& variant) {
  const CachedGraphOptions plain{.image_size = input.prepared.image_size, .dtype = variant.dtype, .encodings = {}};
  VariantGraphs graphs{.options = plain, .table = plain};
  graphs.options.encodings = variant_rules(variant.bits);
  if (variant.bits > 0) graphs.table.dtype = Dtype::kFloat16;
  return graphs;
}

std::string graph_file(const char* name, const Variant& variant) { return std::string("onnx/") + name + variant.suffix + ".onnx"; }

void add_merged_decoder(const LayoutInput& input, const Variant& variant, LayoutFiles& files) {
  const std::string file = graph_file("decoder_model_merged", variant);
  if (files.has_graph(file)) return;
  const PreparedExport& p = input.prepared;
  files.add_graph(file, merged_decoder_graph(p.config, Weights(*p.checkpoint), graphs_of(input, variant).options));
}

OrderedJson end_tokens_json(const ModelConfig& config, const std::string& tokenizer_json) {
  const auto ids = end_tokens(config.eos_token_ids, tokenizer_json);
  if (ids.size() == 1) return ids.front();
  return ids;
}

}  // namespace fastvlm::clients
