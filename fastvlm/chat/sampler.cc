#include "fastvlm/chat/sampler.h"

#include <algorithm>
#include <cmath>

#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

constexpr double kLowestTemperature = 1e-3;

// Uniform in [0, 1) from the upper 53 bits; std::uniform_real_distribution differs between libraries.
double uniform(std::mt19937_64& random) { return static_cast<double>(random() >> 11) * 0x1p-53; }

}  // namespace

Status check_sampling(const SamplingOptions& options) {
  if (options.temperature == 0 || (options.temperature >= kLowestTemperature && options.temperature <= 100)) return {};
  return bad_option("temperature", "{}: must be 0 (always the most likely token) or from {} to 100", options.temperature,
                    kLowestTemperature);
}

Sampler::Sampler(const SamplingOptions& options, std::vector<bool> allowed)
    : options_(options), allowed_(std::move(allowed)), random_(options.seed) {
  FASTVLM_ASSERT(std::ranges::find(allowed_, true) != allowed_.end(), "some id may be sampled");
}

void Sampler::restart() { random_.seed(options_.seed); }

Result<std::int32_t> Sampler::most_likely(std::span<const float> logits) const {
  std::int32_t best = -1;
  for (std::size_t id = 0; id < std::min(logits.size(), allowed_.size()); ++id) {
    if (!allowed_[id]) continue;
    if (!std::isfinite(logits[id])) return check_failed("the logit of token {} is not finite; the graph overflows with this prompt", id);
    if (best < 0 || logits[id] > logits[static_cast<std::size_t>(best)]) best = static_cast<std::int32_t>(id);
  }
  if (best < 0) return bad_input("the graph has {} logits, none of them of a token that may be sampled", logits.size());
  return best;
}

Result<std::int32_t> Sampler::sample(std::span<const float> logits) {
  TRY_ASSIGN(const std::int32_t best, most_likely(logits));
  if (options_.temperature == 0) return best;
  const std::size_t count = std::min(logits.size(), allowed_.size());
  const double highest = logits[static_cast<std::size_t>(best)];
  weights_.assign(count, 0.0);
  double sum = 0;
  for (std::size_t id = 0; id < count; ++id)
    if (allowed_[id]) sum += weights_[id] = std::exp((logits[id] - highest) / options_.temperature);
  double left = uniform(random_) * sum;
  std::int32_t last = best;
  for (std::size_t id = 0; id < count; ++id) {
    if (weights_[id] == 0) continue;
    last = static_cast<std::int32_t>(id);
    if ((left -= weights_[id]) < 0) break;
  }
  return last;
}

}  // namespace fastvlm
