// The weights of a convolution beside integer activations, and of a matrix whose int8 are not enough.
#pragma once

#include <optional>
#include <vector>

#include "fastvlm/graph/encoding.h"
#include "fastvlm/tensor/channel_quantise.h"

namespace fastvlm {

// Between what a product of activations and weights lies.
struct ProductEncodings {
  Encoding input, output;
  bool short_factors = false;  // see ScaleRule::factor
};
// For the int8 of such a product.
ScaleRule rule_of(const ProductEncodings& edges);

// What the int8 of a weight leave, as int8: for a second product without a bias, to be added.
struct IntegerRest {
  ChannelWeight weight;
  Encoding product;  // what that product can reach
};

struct IntegerConvolution {
  ChannelWeight weight;            // int8, a scale for each output channel
  std::vector<std::int32_t> bias;  // codes, their scale is that of the input times that of the channel
  std::vector<float> bias_scales;  // [out]
  std::optional<IntegerRest> rest;
};

// `weight` [out, ...] with the channels as rows, `bias` [out]. Scales are raised where the bias would not fit 32 bits. There is a rest
// where int8 keep less than 38 dB: kernels with one dominant entry in each row, such as a folded identity (measured: 21 to 33 dB, others
// 41 to 45). Depthwise kernels are small and err the same way at every pixel, so they have one below 46 dB.
Result<IntegerConvolution> integer_convolution(const WeightPtr& weight, const std::vector<float>& bias, const ProductEncodings& edges);

// Of a matrix [in, out] that a MatMul multiplies with.
Result<IntegerRest> integer_rest(const WeightPtr& weight, const ProductEncodings& edges);

}  // namespace fastvlm
