// What the layouts of graphs with a growing cache have in common: file names, numbers of a variant, the decoder that they share.
#pragma once

#include <string>
#include <vector>

#include "fastvlm/base/json.h"
#include "fastvlm/clients/layout.h"

namespace fastvlm::clients {

// Which weights of linear layers and of the head become integers in a variant of 8 or 4 bits.
std::vector<EncodingRule> variant_rules(int bits);

struct VariantGraphs {
  CachedGraphOptions options;
  CachedGraphOptions table;  // of the embedding table, whose rows are looked up and gain nothing from integers
};
VariantGraphs graphs_of(const LayoutInput& input, const Variant& variant);

// "onnx/embed_tokens_q4.onnx".
std::string graph_file(const char* name, const Variant& variant);

// onnx/decoder_model_merged<suffix>.onnx, unless another layout has added it.
void add_merged_decoder(const LayoutInput& input, const Variant& variant, LayoutFiles& files);

// A number, or a list where there are several.
OrderedJson end_tokens_json(const ModelConfig& config, const std::string& tokenizer_json);

}  // namespace fastvlm::clients
