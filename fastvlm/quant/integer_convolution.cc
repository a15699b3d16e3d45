#include "fastvlm/quant/integer_convolution.h"

#include <algorithm>
#include <cmath>

#include "fastvlm/base/assert.h"
#include "fastvlm/base/try.h"
#include "fastvlm/quant/activation_encodings.h"

namespace fastvlm {
namespace {

constexpr double kWholeSnrDb = 38, kDepthwiseSnrDb = 46;
// Of 32 bits, one is left for the sum that the bias is added to.
constexpr double kLargestBias = 0x1p30;

// Scales that the channels must have at least; empty where none need to be raised.
std::vector<float> least_scales(const std::vector<float>& scales, const std::vector<float>& bias, float input_scale) {
  std::vector<float> least(scales.size());
  for (std::size_t i = 0; i < scales.size(); ++i) {
    const auto needed = static_cast<float>(std::fabs(bias[i]) / (double{input_scale} * kLargestBias));
    if (needed > scales[i]) least[i] = needed;
  }
  if (std::ranges::none_of(least, [](float scale) { return scale > 0; })) least.clear();
  return least;
}

// The largest number that codes of the encoding stand for.
float largest_of(const Encoding& encoding) {
  const auto zero = static_cast<float>(encoding.zero_point);
  return encoding.scale * std::max(zero, 65535 - zero);
}

double factor_of(const ProductEncodings& edges, float output_scale) {
  return edges.short_factors ? double{edges.input.scale} / output_scale : 0;
}

// `channels` is `weight`, turned where that has its channels in columns.
Result<IntegerRest> rest_of(const WeightPtr& weight, const WeightPtr& channels, const ProductEncodings& edges) {
  TRY_ASSIGN(const ChannelFacts left, channel_facts(channels));
  const float largest = left.largest_sum * largest_of(edges.input);
  const Encoding product = encoding_of({-largest, largest}, Dtype::kUint16);
  return IntegerRest{.weight = quantised_by_channel(weight, {.factor = factor_of(edges, product.scale)}), .product = product};
}

}  // namespace

ScaleRule rule_of(const ProductEncodings& edges) { return {.factor = factor_of(edges, edges.output.scale)}; }

Result<IntegerConvolution> integer_convolution(const WeightPtr& weight, const std::vector<float>& bias, const ProductEncodings& edges) {
  TRY_ASSIGN(const ChannelFacts facts, channel_facts(weight));
  const float input_scale = edges.input.scale;
  FASTVLM_ASSERT(bias.size() == facts.scales.size() && edges.input.dtype == Dtype::kUint16, "a bias for each channel of a uint16 map");
  ScaleRule rule = rule_of(edges);
  rule.least = least_scales(facts.scales, bias, input_scale);
  IntegerConvolution result{.weight = quantised_by_channel(weight, rule)};
  for (std::size_t i = 0; i < bias.size(); ++i) {
    const float scale = input_scale * rule.applied(facts.scales[i], i);
    result.bias_scales.push_back(scale);
    result.bias.push_back(std::isfinite(bias[i]) ? static_cast<std::int32_t>(std::nearbyint(double{bias[i]} / scale)) : 0);
  }
  if (facts.snr_db >= (weight->shape()[1] == 1 ? kDepthwiseSnrDb : kWholeSnrDb)) return result;
  const WeightPtr rest = remainder_of_channels(weight, rule);
  TRY_ASSIGN(result.rest, rest_of(rest, rest, edges));
  return result;
}

Result<IntegerRest> integer_rest(const WeightPtr& weight, const ProductEncodings& edges) {
  FASTVLM_ASSERT(edges.input.dtype == Dtype::kUint16, "a uint16 input");
  const WeightPtr rest = remainder_of_channels(weight->transposed(), rule_of(edges));
  return rest_of(rest->transposed(), rest, edges);
}

}  // namespace fastvlm
