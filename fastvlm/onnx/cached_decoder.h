// The plain decoder in two: what makes vectors of a picture's features, and layers that are given a cache. Nodes and weights
// stay, but for RMS norms and a tied head in float32.
#pragma once

#include <cstdint>
#include <string>

#include "fastvlm/base/files.h"
#include "fastvlm/base/result.h"
#include "fastvlm/tensor/dtype.h"

namespace fastvlm {

struct CachedDecoderExtents {
  std::int64_t hidden_size = 0;
  std::int64_t key_value_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t vocab_size = 0;
  Dtype dtype = Dtype::kFloat32;  // of the arithmetic, and of all inputs and outputs but the logits
};

// Both give a model as bytes; external data stay where they are. Bad input where the graph is not one of decoder_with_projection_graph().

// The inputs and outputs of a static decoder graph, for any number of new rows behind any number of slots:
// inputs_embeds [1, rows, H], attention_mask [1, 1, rows, past + rows], position_ids_cos and position_ids_sin [1, 1, rows, head_dim / 2],
// past_key_{i}_in [kv, 1, head_dim, past], past_value_{i}_in [kv, 1, past, head_dim] -> past_key_{i}_out [kv, 1, head_dim, rows],
// past_value_{i}_out [kv, 1, rows, head_dim] and the logits [1, 1, V] of the last row.
Result<std::string> with_cache(const Path& decoder, const CachedDecoderExtents& extents);

// vision_features [batch, N, vision width] -> image_features [batch, N, H].
Result<std::string> projector_of(const Path& decoder, const CachedDecoderExtents& extents);

}  // namespace fastvlm
