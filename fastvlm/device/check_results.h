// What a device wrote against what the CPU computed: the host's side of the self-test.
#pragma once

#include "fastvlm/device/selftest.h"
#include "fastvlm/verify/report.h"

namespace fastvlm::device {

struct ResultsCheck {
  Path bundle;  // with selftest/
  Path results;
  NpuGates gates;
};

// Rows for every run, answer and probe: SNR of tensors, KL of the logits, ids. With probes, a row that names the first tensor that
// departs. What the device did not write is not compared; results without anything to compare are a miss.
// Errors: no self-test, results of another self-test.
Result<VerifyReport> check_results(const ResultsCheck& check);

// Mean and largest Kullback-Leibler divergence of softmax(actual) from softmax(expected) over rows of `width`, in nats.
struct Divergence {
  double mean = 0;
  double largest = 0;
};
Divergence divergence(std::span<const float> expected, std::span<const float> actual, std::size_t width);

}  // namespace fastvlm::device
