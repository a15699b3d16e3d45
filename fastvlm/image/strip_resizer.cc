#include "fastvlm/image/strip_resizer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "fastvlm/base/assert.h"
#include "fastvlm/image/orientation.h"

namespace fastvlm {
namespace {

// The axis seen from its other end. `length` is that of the picture, `count` that of the result.
AxisWeights reversed(const AxisWeights& axis, int length, int count) {
  AxisWeights result;
  result.first_output = count - axis.first_output - static_cast<int>(axis.outputs.size());
  result.begin = length - axis.end;
  result.end = length - axis.begin;
  result.weights.reserve(axis.weights.size());
  for (std::size_t i = axis.outputs.size(); i-- > 0;) {
    AxisWeights::Output output = axis.outputs[i];
    const std::int32_t* weights = axis.weights.data() + output.weight;
    output.begin = length - output.begin - output.count;
    output.weight = result.weights.size();
    for (int k = output.count; k-- > 0;) result.weights.push_back(weights[k]);
    while (result.weights.size() % AxisWeights::kGroup != 0) result.weights.push_back(0);
    result.outputs.push_back(output);
  }
  return result;
}

}  // namespace

StripResizer::StripResizer(const StoredShape& stored, const ResizeAxis& across, const ResizeAxis& down, const ResizeHow& how)
    : stored_(stored),
      columns_{axis_weights(across, stored.upright_width(), how.filter), how.canvas},
      rows_{axis_weights(down, stored.upright_height(), how.filter), how.canvas},
      passed_(0, 0) {
  int width = across.count, height = down.count;
  if (stored.swaps_sides()) {
    std::swap(columns_, rows_);
    std::swap(width, height);
  }
  const int orientation = stored.orientation;
  if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8)
    columns_.weights = reversed(columns_.weights, stored.width, width);
  if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7)
    rows_.weights = reversed(rows_.weights, stored.height, height);
  out_ = Image::filled(width, height, how.canvas);
  down_first_ = stored.swaps_sides() != columns_first(across, down);
  empty_ = columns_.weights.outputs.empty() || rows_.weights.outputs.empty();
  if (empty_) return;
  passed_ = down_first_ ? Rows(static_cast<std::size_t>(stored.width) * 3, rows_.weights.outputs.size())
                        : Rows(columns_.weights.outputs.size() * 3, static_cast<std::size_t>(rows_.weights.end - rows_.weights.begin));
  kept_from_ = rows_.weights.begin;
}

void StripResizer::take(const Image& strip) {
  const int begin = taken_;
  taken_ += strip.height;
  FASTVLM_ASSERT(strip.width == stored_.width && taken_ <= stored_.height, "a strip of the picture");
  const int first = std::max(begin, rows_.weights.begin), end = std::min(taken_, rows_.weights.end);
  if (empty_ || first >= end) return;
  if (!down_first_) {
    resize_across(source_of(strip, first - begin), static_cast<std::size_t>(end - first), columns_, passed_,
                  static_cast<std::size_t>(first - rows_.weights.begin));
    return;
  }
  // A strip may be the whole picture; only some rows at a time are copied.
  constexpr int kRowsCopied = 64;
  for (int y = first; y < end; y += kRowsCopied) take_down(strip, y - begin, std::min(y + kRowsCopied, end) - begin);
}

// Rows [first, end) of the strip follow those that are kept.
void StripResizer::take_down(const Image& strip, int first, int end) {
  const std::size_t stride = strip.row_bytes();
  kept_.insert(kept_.end(), strip.row(first), strip.row(first) + stride * static_cast<std::size_t>(end - first));
  const int kept_end = kept_from_ + static_cast<int>(kept_.size() / stride);
  const auto& outputs = rows_.weights.outputs;
  const Source source = {kept_.data(), stride, stride, kept_.data() + kept_.size()};
  for (; next_output_ < outputs.size() && outputs[next_output_].begin + outputs[next_output_].count <= kept_end; ++next_output_)
    resize_down_row(source, kept_from_, rows_, next_output_, passed_.row(next_output_));
  const int needed_from = next_output_ < outputs.size() ? std::min(outputs[next_output_].begin, kept_end) : kept_end;
  kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(stride) * (needed_from - kept_from_));
  kept_from_ = needed_from;
}

Image StripResizer::finish() {
  FASTVLM_ASSERT(taken_ == stored_.height, "all rows were taken");
  if (!empty_) {
    Rows result = down_first_ ? resize_across(source_of(passed_), passed_.count, columns_) : resize_down(source_of(passed_), rows_);
    for (std::size_t y = 0; y < result.count; ++y)
      std::memcpy(out_.row(rows_.weights.first_output + static_cast<int>(y)) + static_cast<std::size_t>(columns_.weights.first_output) * 3,
                  result.row(y), result.length);
  }
  return turn_upright(std::move(out_), stored_.orientation);
}

}  // namespace fastvlm
