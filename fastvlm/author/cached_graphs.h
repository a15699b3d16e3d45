// The three graphs with a growing cache that other programs know from Hugging Face exports: names, order and types of their inputs
// and outputs as those programs expect them.
#pragma once

#include <memory>

#include "fastvlm/checkpoint/model_config.h"
#include "fastvlm/checkpoint/weights.h"
#include "fastvlm/graph/encoding.h"
#include "fastvlm/graph/graph.h"

namespace fastvlm {

struct CachedGraphOptions {
  std::int64_t image_size = 1024;
  Dtype dtype = Dtype::kFloat32;        // of weights and arithmetic; inputs and outputs are always float32
  std::vector<EncodingRule> encodings;  // weights of linear layers and of the head in blocks of integers
};

// pixel_values [batch_size, 3, S, S] -> image_features [batch_size, N, H], tower and projector.
std::unique_ptr<Graph> image_features_graph(const ModelConfig& config, const Weights& weights, const CachedGraphOptions& options);

// input_ids [batch_size, sequence_length] -> inputs_embeds [batch_size, sequence_length, H].
std::unique_ptr<Graph> embed_tokens_graph(const ModelConfig& config, const Weights& weights, const CachedGraphOptions& options);

// inputs_embeds [batch_size, sequence_length, H], attention_mask [batch_size, total_sequence_length], position_ids [batch_size,
// sequence_length], past_key_values.{i}.key/value [batch_size, kv, past_sequence_length, head_dim] -> logits, present.{i}.key/value.
// The past may have no tokens; a mask of 0 hides a token.
std::unique_ptr<Graph> merged_decoder_graph(const ModelConfig& config, const Weights& weights, const CachedGraphOptions& options);

}  // namespace fastvlm
