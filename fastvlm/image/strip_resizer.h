// Resizing a picture that comes strip by strip.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "fastvlm/image/image.h"
#include "fastvlm/image/resize_passes.h"

namespace fastvlm {

struct StoredShape {
  int width = 0;
  int height = 0;
  int orientation = 1;  // EXIF, 1 to 8
  bool swaps_sides() const { return orientation >= 5 && orientation <= 8; }
  int upright_width() const { return swaps_sides() ? height : width; }
  int upright_height() const { return swaps_sides() ? width : height; }
};

// The bytes of turn_upright and then resize, while only the rows after the first pass are kept, and of the picture the rows that
// one output looks at. For the turned orientations the weights are turned instead of the picture: their sums are exact integers.
class StripResizer {
 public:
  // `across` and `down` are those of the upright picture.
  StripResizer(const StoredShape& stored, const ResizeAxis& across, const ResizeAxis& down, const ResizeHow& how);
  // The next rows of the picture as it is stored, from top to bottom.
  void take(const Image& strip);
  // After the last row: the upright result. Once.
  Image finish();

 private:
  void take_down(const Image& strip, int first, int end);

  StoredShape stored_;
  Image out_;  // as stored
  Axis columns_;
  Axis rows_;
  bool down_first_ = false;
  bool empty_ = false;  // nothing of the picture is seen
  int taken_ = 0;       // rows
  Rows passed_;         // after the first pass
  // For down_first_: the rows from kept_from_ on that outputs still need, and the first output that is not done.
  std::vector<std::uint8_t> kept_;
  int kept_from_ = 0;
  std::size_t next_output_ = 0;
};

}  // namespace fastvlm
