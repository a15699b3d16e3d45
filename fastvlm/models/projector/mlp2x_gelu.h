// The joint between tower and decoder: two linear layers with a GELU between ("2x" is the depth). `model` is the whole
// checkpoint. LLaVA's builder makes it from mm_projector_type = "mlp2x_gelu".
#pragma once

#include "fastvlm/ops/module.h"

namespace fastvlm::models {

// x: [B, N, vision width] -> [B, N, hidden_size].
Value mlp2x_gelu(Value x, std::int64_t hidden_size, const Module& model);

}  // namespace fastvlm::models
