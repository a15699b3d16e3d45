// The six filters of Pillow's Image.resize.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "fastvlm/base/result.h"

namespace fastvlm {

// The values are Pillow's Resampling numbers, which preprocessor_config.json uses.
enum class ResizeFilter { kNearest = 0, kLanczos = 1, kBilinear = 2, kBicubic = 3, kBox = 4, kHamming = 5 };

struct ResizeFilterRow {
  ResizeFilter filter;
  std::string_view name;
  double support;            // how far it looks on either side, in source pixels, when not shrinking
  double (*weight)(double);  // nullptr: takes one pixel
};

const ResizeFilterRow& row_of(ResizeFilter filter);
inline std::string_view name(ResizeFilter filter) { return row_of(filter).name; }

// By Pillow's number; nothing when it has none such.
std::optional<ResizeFilter> resize_filter_of(long long number);
// By name, such as "bicubic".
Result<ResizeFilter> resize_filter_of(std::string_view name);

}  // namespace fastvlm
