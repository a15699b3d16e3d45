#include "fastvlm/targets/qnn/compile/estimate.h"

namespace fastvlm::qnn {
namespace {

// Fitted to what was measured with the plug-in 2.7.0; estimate_test.cc holds it to that. 0.16 GB for graphs of next to nothing;
// one graph of a decoder of 0.99 GB took 4.8 GB, two that share its weights 8.9 GB; in 8 bits (0.51 GB) 2.7 and 4.7 GB, in 4 bits
// (0.35 GB) 2.2 and 3.9 GB; a tower takes more for larger pictures.
constexpr std::uint64_t kBaseMemory = 500'000'000;
constexpr std::uint64_t kMemoryOfWeights = 5;
constexpr std::uint64_t kLessOfPacked = 1;
constexpr std::uint64_t kWorkspace = 20;

// A vision context has 4 % more than its weights, a decoder 1 %; a tiny one is made of its graphs.
constexpr std::uint64_t kBytesOfGraph = 2'000'000;

}  // namespace

std::uint64_t compile_memory(const CompileLoad& load) {
  const std::uint64_t of_weights = kMemoryOfWeights * load.weight_bytes - kLessOfPacked * load.packed_bytes;
  return kBaseMemory + of_weights * load.graphs + kWorkspace * load.largest_value_bytes;
}

std::uint64_t context_bytes(const CompileLoad& load) { return load.weight_bytes + load.weight_bytes / 100 + load.graphs * kBytesOfGraph; }

}  // namespace fastvlm::qnn
