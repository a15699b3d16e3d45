#include "fastvlm/image/resize_weights.h"

#include <algorithm>
#include <cmath>

#include "fastvlm/base/assert.h"

namespace fastvlm {
namespace {

std::int32_t to_fixed(double weight) { return static_cast<std::int32_t>((weight < 0 ? -0.5 : 0.5) + weight * (1 << kWeightBits)); }

// The pixels [begin, end) of the canvas that one output looks at, and their real weights. Every operation is done in
// Pillow's order: the last bit of a double can decide about a pixel.
struct Window {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::vector<double> weights;
  double nearest_at = 0;  // Pillow adds the scale up from output to output instead of multiplying

  void look(std::int64_t canvas, double scale, std::int64_t output, const ResizeFilterRow& filter) {
    const double filter_scale = std::max(scale, 1.0);
    const double support = filter.support * filter_scale;
    const double center = (static_cast<double>(output) + 0.5) * scale;
    begin = std::max<std::int64_t>(0, static_cast<std::int64_t>(center - support + 0.5));
    end = std::min(canvas, static_cast<std::int64_t>(center + support + 0.5));
    weights.clear();
    double sum = 0;
    for (std::int64_t x = begin; x < end; ++x) {
      weights.push_back(filter.weight((static_cast<double>(x) - center + 0.5) * (1.0 / filter_scale)));
      sum += weights.back();
    }
    if (sum != 0)
      for (double& weight : weights) weight /= sum;
  }

  void look_nearest(std::int64_t canvas, double scale) {
    begin = std::min(static_cast<std::int64_t>(nearest_at), canvas - 1);
    end = begin + 1;
    weights.assign(1, 1.0);
    nearest_at += scale;
  }
};

void add_output(const Window& window, const ResizeAxis& axis, int length, int index, AxisWeights& result) {
  const std::int64_t begin = std::max(window.begin, axis.offset);
  const std::int64_t end = std::min(window.end, axis.offset + length);
  if (begin >= end) return;
  if (result.outputs.empty()) {
    result.first_output = index;
    result.begin = static_cast<int>(begin - axis.offset);
  }
  result.end = static_cast<int>(end - axis.offset);
  AxisWeights::Output output = {
      .begin = static_cast<int>(begin - axis.offset), .count = static_cast<int>(end - begin), .weight = result.weights.size()};
  for (std::int64_t x = window.begin; x < window.end; ++x) {
    const std::int32_t weight = to_fixed(window.weights[static_cast<std::size_t>(x - window.begin)]);
    if (x >= begin && x < end)
      result.weights.push_back(weight);
    else
      output.outside += weight;
  }
  while (result.weights.size() % AxisWeights::kGroup != 0) result.weights.push_back(0);
  result.outputs.push_back(output);
}

}  // namespace

AxisWeights axis_weights(const ResizeAxis& axis, int length, ResizeFilter filter) {
  FASTVLM_ASSERT(length > 0 && axis.offset >= 0 && axis.offset + length <= axis.canvas, "the picture is on its canvas");
  FASTVLM_ASSERT(axis.count > 0 && axis.first >= 0 && axis.first + axis.count <= axis.resized, "a window of the whole");
  AxisWeights result;
  const ResizeFilterRow& row = row_of(filter);
  const double scale = static_cast<double>(axis.canvas) / static_cast<double>(axis.resized);
  Window window;
  if (row.weight == nullptr) {
    window.nearest_at = scale * 0.5;
    for (std::int64_t i = 0; i < axis.first; ++i) window.nearest_at += scale;
  }
  for (int i = 0; i < axis.count; ++i) {
    if (row.weight == nullptr)
      window.look_nearest(axis.canvas, scale);
    else
      window.look(axis.canvas, scale, axis.first + i, row);
    add_output(window, axis, length, i, result);
  }
  return result;
}

}  // namespace fastvlm
