// Means, percentiles and intervals of lists of numbers. The same numbers in the same order give the same results on every machine.
#pragma once

#include <cstdint>
#include <span>

namespace fastvlm {

double mean_of(std::span<const double> values);

// The value that this share (0 … 1) of the others does not exceed, between two of them linearly (NumPy's default). 0 for no values.
double percentile(std::span<const double> values, double share);

struct Interval {
  double low = 0;
  double high = 0;
};

struct BootstrapOptions {
  std::uint64_t seed = 0;
  int samples = 2'000;
  double confidence = 0.95;
};

// Confidence interval of the mean: percentiles of the means of samples drawn with replacement (Efron 1979). For paired values give
// their differences.
Interval bootstrap_interval(std::span<const double> values, const BootstrapOptions& options = {});

}  // namespace fastvlm
