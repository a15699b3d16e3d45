// Weights in int8 with one scale for each output channel, still as recipes: symmetric, largest magnitude over 127.
#pragma once

#include <vector>

#include "fastvlm/tensor/weight.h"

namespace fastvlm {

struct ChannelWeight {
  WeightPtr codes;   // int8, the shape of the weight
  WeightPtr scales;  // numbers [channels]
};

// What scales of channels have to heed besides the largest magnitude.
struct ScaleRule {
  std::vector<float> least;  // no scale is below its entry; may be empty
  // Not 0: a scale is raised until its product with this has 11 bits, by 1 in 1024 at most. HTP v68 and v69 keep no more of the factor
  // that makes codes of sums, and only where channels differ in it; all codes of a channel err by the rest (measured: 59 dB, 80 without).
  double factor = 0;

  // The scale of that channel as the rule has it.
  float applied(float scale, std::size_t channel) const;
};
float raised(float scale, double factor);

// The channels are the rows as they lie in the source: axis 0 of the weight, or axis 1 of one that is read transposed. The scales
// are made by whoever reads first, in a pass of its own over the weight, and kept. A channel of zeros has scale 1 before
// the rule.
ChannelWeight quantised_by_channel(const WeightPtr& weight, ScaleRule rule = {});

// What the codes of quantised_by_channel() leave of the weight, whose rows are the channels: weight - codes * scales.
WeightPtr remainder_of_channels(const WeightPtr& weight, ScaleRule rule = {});

// Facts about a weight whose rows are the channels, from one pass over it.
struct ChannelFacts {
  std::vector<float> scales;
  double snr_db = 0;      // of the weight in int8; infinite where nothing is lost
  float largest_sum = 0;  // of the magnitudes of one channel
};
Result<ChannelFacts> channel_facts(const WeightPtr& weight);

}  // namespace fastvlm
