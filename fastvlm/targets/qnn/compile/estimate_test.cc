#include "fastvlm/targets/qnn/compile/estimate.h"

#include <gtest/gtest.h>

namespace fastvlm::qnn {
namespace {

constexpr std::uint64_t kTower = 252'458'944, kDecoder = 988'180'224;                             // weights of the 0.5B shapes
constexpr std::uint64_t kMap1024 = 50'331'648, kMap256 = kMap1024 / 16, kLogits = 128 * 303'872;  // their largest values

// The peak of memory while a context was compiled.
struct Measured {
  const char* context;
  CompileLoad load;
  std::uint64_t peak_bytes;
};
constexpr Measured kMeasured[] = {
    {"tower at 256, 512 and 1024 pixels", {.weight_bytes = kTower, .graphs = 3, .largest_value_bytes = kMap1024}, 4'805'000'000},
    {"tower at 1024 pixels", {.weight_bytes = kTower, .graphs = 1, .largest_value_bytes = kMap1024}, 2'340'000'000},
    {"tower at 256 pixels", {.weight_bytes = kTower, .graphs = 1, .largest_value_bytes = kMap256}, 1'800'000'000},
    {"decoder for 128 tokens and for one", {.weight_bytes = kDecoder, .graphs = 2, .largest_value_bytes = kLogits}, 8'926'000'000},
    {"decoder in 8 bits for 128 tokens and for one",
     {.weight_bytes = 517'900'000, .packed_bytes = 517'900'000, .graphs = 2, .largest_value_bytes = kLogits},
     4'700'000'000},
    {"decoder in 4 bits for 128 tokens and for one",
     {.weight_bytes = 338'900'000, .packed_bytes = 338'900'000, .graphs = 2, .largest_value_bytes = kLogits},
     3'900'000'000},
    {"decoder for 128 tokens", {.weight_bytes = kDecoder, .graphs = 1, .largest_value_bytes = kLogits}, 4'800'000'000},
};

TEST(Estimate, OfCompilingIsNeverBelowWhatWasMeasuredAndAtMostThreeTenthsAbove) {
  for (const Measured& row : kMeasured) {
    const double ratio = static_cast<double>(compile_memory(row.load)) / static_cast<double>(row.peak_bytes);
    EXPECT_GE(ratio, 1.0) << row.context;
    EXPECT_LE(ratio, 1.3) << row.context;
  }
}

}  // namespace
}  // namespace fastvlm::qnn
