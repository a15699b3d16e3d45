#include "fastvlm/clients/cached_files.h"

namespace fastvlm::clients {
namespace {

constexpr std::int64_t kBlock = 32;

}  // namespace

VariantGraphs graphs_of(const LayoutInput& input, const Variant& variant) {
  const CachedGraphOptions plain{.image_size = input.prepared.image_size, .dtype = variant.dtype, .encodings = {}};
  VariantGraphs graphs{.options = plain, .table = plain};
  if (variant.bits > 0) {
    graphs.options.encodings = {{.match = "*", .weights = WeightEncoding{.blocks = {.bits = variant.bits, .block = kBlock}}}};
    graphs.table.dtype = Dtype::kFloat16;
  }
  return graphs;
}

std::string graph_file(const char* name, const Variant& variant) { return std::string("onnx/") + name + variant.suffix + ".onnx"; }

void add_merged_decoder(const LayoutInput& input, const Variant& variant, LayoutFiles& files) {
  const std::string file = graph_file("decoder_model_merged", variant);
  if (files.has_graph(file)) return;
  const PreparedExport& p = input.prepared;
  files.add_graph(file, merged_decoder_graph(p.config, Weights(*p.checkpoint), graphs_of(input, variant).options));
}

std::string text_of(const OrderedJson& json) { return json.dump(2) + "\n"; }

OrderedJson end_tokens(const ModelConfig& config) {
  if (config.eos_token_ids.size() == 1) return config.eos_token_ids.front();
  return config.eos_token_ids;
}

}  // namespace fastvlm::clients
