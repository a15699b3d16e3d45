// The three graphs of every export: their inputs, outputs and symbolic axes. They hold for any batch, prompt length and
// number of vision tokens.
#pragma once

#include <memory>

#include "fastvlm/checkpoint/model_config.h"
#include "fastvlm/checkpoint/weights.h"
#include "fastvlm/graph/graph.h"

namespace fastvlm {

struct ReferenceGraphOptions {
  std::int64_t image_size = 1024;
  Dtype dtype = Dtype::kFloat32;  // of weights and arithmetic; inputs and outputs are always float32
};

// pixel_values [batch_size, 3, S, S] -> image_features [batch_size, N, vision width]: the tower before the projector.
std::unique_ptr<Graph> vision_encoder_graph(const ModelConfig& config, const Weights& weights, const ReferenceGraphOptions& options);

// vision_features [batch_size, num_vision_tokens, width], input_ids [batch_size, num_text_tokens] -> logits; vision first.
std::unique_ptr<Graph> decoder_with_projection_graph(const ModelConfig& config, const Weights& weights,
                                                     const ReferenceGraphOptions& options);

// input_ids [batch_size, seq_len] -> embeddings [batch_size, seq_len, H].
std::unique_ptr<Graph> token_embedder_graph(const ModelConfig& config, const Weights& weights, const ReferenceGraphOptions& options);

}  // namespace fastvlm
