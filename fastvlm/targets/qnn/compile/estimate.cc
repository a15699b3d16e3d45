#include "fastvlm/targets/qnn/compile/estimate.h"

namespace fastvlm::qnn {
namespace {

// Measured with the plug-in 2.7.0: 0.16 GB for graphs of next to nothing, 2.4 GB for a tower of 0.27 GB, 8.7 GB for a decoder of
// 0.99 GB, 4.7 GB for one of 0.51 GB in 8 bits, 3.9 GB for one of 0.35 GB in 4. One graph is compiled after another, so that their number
// does not count.
constexpr std::uint64_t kBaseMemory = 200'000'000;
constexpr std::uint64_t kMemoryOfWeights = 9;
constexpr std::uint64_t kMoreOfPacked = 3;

// A vision context has 4 % more than its weights, a decoder 1 %; a tiny one is made of its graphs.
constexpr std::uint64_t kBytesOfGraph = 2'000'000;

}  // namespace

std::uint64_t compile_memory(const CompileLoad& load) {
  return kBaseMemory + kMemoryOfWeights * load.weight_bytes + kMoreOfPacked * load.packed_bytes;
}

std::uint64_t context_bytes(const CompileLoad& load) { return load.weight_bytes + load.weight_bytes / 100 + load.graphs * kBytesOfGraph; }

}  // namespace fastvlm::qnn
