#include "fastvlm/image/resize_weights.h"

#include <algorithm>
#include <cmath>

#include "fastvlm/base/assert.h"

namespace fastvlm {
namespace {

constexpr double kSupport = 2.0;

double bicubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

std::int32_t to_fixed(double weight) { return static_cast<std::int32_t>((weight < 0 ? -0.5 : 0.5) + weight * (1 << kWeightBits)); }

// The pixels [begin, end) of the canvas that one output looks at, and their real weights. Every operation is done in
// Pillow's order: the last bit of a double can decide about a pixel.
struct Window {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::vector<double> weights;

  void look(std::int64_t canvas, double scale, std::int64_t output) {
    const double filter_scale = std::max(scale, 1.0);
    const double support = kSupport * filter_scale;
    const double center = (static_cast<double>(output) + 0.5) * scale;
    begin = std::max<std::int64_t>(0, static_cast<std::int64_t>(center - support + 0.5));
    end = std::min(canvas, static_cast<std::int64_t>(center + support + 0.5));
    weights.clear();
    double sum = 0;
    for (std::int64_t x = begin; x < end; ++x) {
      weights.push_back(bicubic((static_cast<double>(x) - center + 0.5) * (1.0 / filter_scale)));
      sum += weights.back();
    }
    if (sum != 0)
      for (double& weight : weights) weight /= sum;
  }
};

}  // namespace

AxisWeights axis_weights(const ResizeAxis& axis, int length) {
  FASTVLM_ASSERT(length > 0 && axis.offset >= 0 && axis.offset + length <= axis.canvas, "the picture is on its canvas");
  FASTVLM_ASSERT(axis.count > 0 && axis.first >= 0 && axis.first + axis.count <= axis.resized, "a window of the whole");
  AxisWeights result;
  const double scale = static_cast<double>(axis.canvas) / static_cast<double>(axis.resized);
  Window window;
  for (int i = 0; i < axis.count; ++i) {
    window.look(axis.canvas, scale, axis.first + i);
    const std::int64_t begin = std::max(window.begin, axis.offset);
    const std::int64_t end = std::min(window.end, axis.offset + length);
    if (begin >= end && result.outputs.empty()) continue;
    if (begin >= end) break;
    if (result.outputs.empty()) {
      result.first_output = i;
      result.begin = static_cast<int>(begin - axis.offset);
    }
    result.end = static_cast<int>(end - axis.offset);
    result.outputs.push_back(
        {.begin = static_cast<int>(begin - axis.offset), .count = static_cast<int>(end - begin), .weight = result.weights.size()});
    for (std::int64_t x = begin; x < end; ++x)
      result.weights.push_back(to_fixed(window.weights[static_cast<std::size_t>(x - window.begin)]));
    while (result.weights.size() % AxisWeights::kGroup != 0) result.weights.push_back(0);
  }
  return result;
}

}  // namespace fastvlm
