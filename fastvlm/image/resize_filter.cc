#include "fastvlm/image/resize_filter.h"

#include <cmath>
#include <numbers>

namespace fastvlm {
namespace {

// Each is written in Pillow's order of operations and with its types of constants: the last bit of a double can decide about a pixel.
double box(double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }

double bilinear(double x) {
  x = std::abs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

double hamming(double x) {
  x = std::abs(x);
  if (x == 0.0) return 1.0;
  if (x >= 1.0) return 0.0;
  x = x * std::numbers::pi;
  return std::sin(x) / x * (0.54f + 0.46f * std::cos(x));
}

double bicubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

double sinc(double x) {
  if (x == 0.0) return 1.0;
  x = x * std::numbers::pi;
  return std::sin(x) / x;
}

double lanczos(double x) { return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0; }

// In the order of the numbers.
constexpr ResizeFilterRow kFilters[] = {
    {ResizeFilter::kNearest, "nearest", 0.0, nullptr},
    {ResizeFilter::kLanczos, "lanczos", 3.0, lanczos},
    {ResizeFilter::kBilinear, "bilinear", 1.0, bilinear},
    {ResizeFilter::kBicubic, "bicubic", 2.0, bicubic},
    {ResizeFilter::kBox, "box", 0.5, box},
    {ResizeFilter::kHamming, "hamming", 1.0, hamming},
};

}  // namespace

const ResizeFilterRow& row_of(ResizeFilter filter) { return kFilters[static_cast<std::size_t>(filter)]; }

std::optional<ResizeFilter> resize_filter_of(long long number) {
  for (const ResizeFilterRow& row : kFilters)
    if (static_cast<long long>(row.filter) == number) return row.filter;
  return std::nullopt;
}

Result<ResizeFilter> resize_filter_of(std::string_view name) {
  std::string names;
  for (const ResizeFilterRow& row : kFilters) {
    if (row.name == name) return row.filter;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", row.name);
  }
  return bad_usage("\"{}\" is not a resize filter; there are {}", name, names);
}

}  // namespace fastvlm
