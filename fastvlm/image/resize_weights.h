// The weights of one axis of a resize.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "fastvlm/image/resize.h"

namespace fastvlm {

// Weights carry this many fractional bits: 32 less 8 for the pixel and 2 for sums that overshoot.
constexpr int kWeightBits = 22;

// Weights of every output of an axis that sees any of the picture; outputs before and after them have the colour of the canvas.
struct AxisWeights {
  static constexpr int kGroup = 4;  // the weights of an output are filled up with zeros to a multiple of this

  struct Output {
    int begin = 0;             // first pixel of the picture it looks at
    int count = 0;             // number of pixels
    std::size_t weight = 0;    // its first weight in `weights`
    std::int32_t outside = 0;  // sum of the weights that fall on the canvas beside the picture
  };
  int first_output = 0;
  std::vector<Output> outputs;
  std::vector<std::int32_t> weights;

  // The pixels of the picture that any output looks at.
  int begin = 0;
  int end = 0;
};

// `length` is that of the picture along this axis.
AxisWeights axis_weights(const ResizeAxis& axis, int length, ResizeFilter filter);

}  // namespace fastvlm
