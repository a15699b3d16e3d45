// The next id from the logits of the last position.
#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "fastvlm/base/result.h"

namespace fastvlm {

struct SamplingOptions {
  double temperature = 0;  // 0: the most likely id, so that answers can be repeated; Apple's predict.py samples at 0.2
  std::uint64_t seed = 0;  // of the random numbers when the temperature is above 0
};

// Refuses a temperature that is negative, not finite or so small that the softmax would overflow.
Status check_sampling(const SamplingOptions& options);

class Sampler {
 public:
  // `allowed[id]` says which ids may be sampled; ids at and beyond its end may not. At least one must be allowed.
  Sampler(const SamplingOptions& options, std::vector<bool> allowed);

  // Among equal logits the lowest id wins. The same seed and logits give the same ids on every machine with the same exp().
  // A logit that is NaN or infinite is an Error: the graph has lost its numbers.
  Result<std::int32_t> sample(std::span<const float> logits);

  // Back to the seed.
  void restart();

 private:
  Result<std::int32_t> most_likely(std::span<const float> logits) const;

  SamplingOptions options_;
  std::vector<bool> allowed_;
  std::vector<double> weights_;
  std::mt19937_64 random_;
};

}  // namespace fastvlm
