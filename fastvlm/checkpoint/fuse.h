// Convolutions with everything folded into them that folds exactly: batch norms, and the branches of a tower that is still
// in training form. All sums are made in double precision and rounded once.
// Formulas: a batch norm after a bias-free convolution scales its kernel by g / sqrt(v + eps) and leaves the bias
// b - m g / sqrt(v + eps); an identity branch is a kernel with a single one in the middle.
#pragma once

#include "fastvlm/checkpoint/weights.h"

namespace fastvlm {

inline constexpr double kBatchNormEpsilon = 1e-5;

struct ConvWeights {
  WeightPtr weight;  // [out_channels, in_channels / groups, kernel, kernel]
  WeightPtr bias;    // [out_channels]
};

struct ConvShape {
  std::int64_t in_channels = 0;
  std::int64_t out_channels = 0;
  std::int64_t kernel = 1;
  std::int64_t groups = 1;
  std::int64_t stride = 1;
  std::int64_t group_width() const { return in_channels / groups; }
  Shape weight() const { return {out_channels, group_width(), kernel, kernel}; }
};

// `weight` and `bias` as they are.
ConvWeights plain_conv(const Weights& w, const ConvShape& shape);

// Each reads the fused form (`reparam_conv`) where the checkpoint has it, and fuses the training branches otherwise.
ConvWeights mobile_one_conv(const Weights& w, const ConvShape& shape);    // conv_kxk.{n} + conv_scale + identity
ConvWeights large_kernel_conv(const Weights& w, const ConvShape& shape);  // large_conv + small_conv
ConvWeights rep_mixer_conv(const Weights& w, const ConvShape& shape);     // identity + layer_scale (mixer - norm)
ConvWeights positional_conv(const Weights& w, const ConvShape& shape);    // identity + pos_enc

// `conv.weight` without bias, then `bn`: stays unfused in every released checkpoint (44 of them).
ConvWeights batch_norm_conv(const Weights& w, const ConvShape& shape);

// Whether the tower below `w` has training branches.
bool in_training_form(const Weights& vision_tower);

}  // namespace fastvlm
