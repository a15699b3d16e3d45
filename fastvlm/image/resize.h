// Resizing, byte for byte as Pillow's Image.resize on 8-bit RGB.
//
// Half-pixel centres, the support widened by the scale when shrinking (bicubic: a = -0.5); along the rows, then along the
// columns, rounded to 8 bits in between; weights are integers with 22 fractional bits, so the sums are exact. As in
// Pillow 13 the columns come first where the height shrinks much more than the width (a cropped tall picture); there
// Pillow 12 and older differ by single units.
#pragma once

#include <cstdint>

#include "fastvlm/image/image.h"
#include "fastvlm/image/resize_filter.h"

namespace fastvlm {

// One axis of a resize. The picture lies on a canvas of one colour, the canvas is resized, and a window is cut out of the
// result; only what the window needs is ever computed.
struct ResizeAxis {
  std::int64_t canvas = 0;   // length of the canvas
  std::int64_t offset = 0;   // where the picture begins on it
  std::int64_t resized = 0;  // length the canvas is resized to
  std::int64_t first = 0;    // the window: its begin in the resized canvas
  int count = 0;             // and its length
};

struct ResizeHow {
  ResizeFilter filter = ResizeFilter::kBicubic;
  Color canvas = {0, 0, 0};
};

// across.count x down.count pixels. The picture must lie within its canvas, the window within the resized canvas. Large pictures
// are shared among the cores; the bytes do not depend on how many.
Image resize(const Image& image, const ResizeAxis& across, const ResizeAxis& down, const ResizeHow& how = {});

// The whole picture to the given size.
Image resize(const Image& image, int width, int height, ResizeFilter filter = ResizeFilter::kBicubic);

}  // namespace fastvlm
