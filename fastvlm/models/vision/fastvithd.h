// FastViTHD, the vision tower of FastVLM: a convolutional stem, three stages of RepMixer blocks, two of attention blocks,
// and a final convolution with squeeze-excite. Order and formulas: apple/ml-fastvlm mci.py, timm fastvit_mci3.
#pragma once

#include "fastvlm/checkpoint/model_config.h"
#include "fastvlm/ops/module.h"

namespace fastvlm::models {

// pixel_values: [B, 3, S, S] in 0…1, S a multiple of 64 -> tokens [B, (S/64)^2, hidden_size], row by row. `model` is the whole
// checkpoint.
Value fastvithd(Value pixel_values, const VisionConfig& config, const Module& model);

}  // namespace fastvlm::models
