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

// The two graphs of onnxruntime-genai, whose decoder is the one below and which puts the picture in itself.
// pixel_values [1, num_images, 3, S, S] -> image_features [num_images * N, H].
std::unique_ptr<Graph> flat_image_features_graph(const ModelConfig& config, const Weights& weights, const CachedGraphOptions& options);

// Tokens of that client's prompts. What stands before and behind a picture is embedded as a line feed: the client cannot leave the
// marks away, and in the training there are line feeds at these places.
struct PictureTokens {
  std::int64_t begin = 0;
  std::int64_t picture = 0;
  std::int64_t end = 0;
  std::int64_t line_feed = 0;
};

// input_ids [batch_size, sequence_length], image_features [num_image_tokens, H] -> inputs_embeds [batch_size, sequence_length, H]. The
// k-th picture token of a row becomes feature k; one for which there is no feature (there may be none at all) keeps its own row.
std::unique_ptr<Graph> merged_embeddings_graph(const ModelConfig& config, const Weights& weights, const CachedGraphOptions& options,
                                               const PictureTokens& tokens);

// inputs_embeds [batch_size, sequence_length, H], attention_mask [batch_size, total_sequence_length], position_ids [batch_size,
// sequence_length], past_key_values.{i}.key/value [batch_size, kv, past_sequence_length, head_dim] -> logits, present.{i}.key/value.
// The past may have no tokens; a mask of 0 hides a token.
std::unique_ptr<Graph> merged_decoder_graph(const ModelConfig& config, const Weights& weights, const CachedGraphOptions& options);

}  // namespace fastvlm
