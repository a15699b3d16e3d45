// The joint between tower and decoder: two linear layers with a GELU between ("2x" is the depth).
#pragma once

#include "fastvlm/checkpoint/weights.h"
#include "fastvlm/graph/graph.h"

namespace fastvlm::models {

// x: [B, N, vision width] -> [B, N, hidden_size].
Value mlp2x_gelu(Value x, std::int64_t hidden_size, const Weights& w);

}  // namespace fastvlm::models
