// The weights of a convolution beside integer activations.
#pragma once

#include <optional>
#include <vector>

#include "fastvlm/graph/encoding.h"
#include "fastvlm/tensor/channel_quantise.h"

namespace fastvlm {

struct IntegerConvolution {
  ChannelWeight weight;               // int8, a scale for each output channel
  std::vector<std::int32_t> bias;     // codes, their scale is that of the input times that of the channel
  std::vector<float> bias_scales;     // [out]
  std::optional<ChannelWeight> rest;  // what the int8 leave, as int8: for a second convolution without a bias, to be added
  float largest_rest = 0;             // no output of that is larger
};

// `weight` [out, ...] with the channels as rows, `bias` [out]. Scales are raised where the bias would not fit 32 bits. There is a rest
// where int8 lose more than 38 dB: kernels with one dominant entry in each row, such as a folded identity (measured: 21 to 33 dB, others
// 41 to 45).
Result<IntegerConvolution> integer_convolution(const WeightPtr& weight, const std::vector<float>& bias, const Encoding& input);

}  // namespace fastvlm
