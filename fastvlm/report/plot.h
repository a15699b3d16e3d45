// Plots as inline SVG.
#pragma once

#include <cmath>
#include <string>
#include <vector>

namespace fastvlm::report {

struct Series {
  std::string name;
  std::vector<double> values;  // one for each whole number of the x axis, from 1
};

struct LinePlot {
  std::string title;
  std::string x_name;
  std::string y_name;
  std::vector<Series> series;  // at most two have their own colour
  bool logarithmic = false;    // values at or below 0 lie on the ground
  double ceiling = HUGE_VAL;   // values above it are drawn there
};
std::string line_plot(const LinePlot& plot);

struct Bar {
  std::string label;  // of its left border
  double count = 0;
};
struct Histogram {
  std::string title;
  std::string x_name;
  std::vector<Bar> bars;
};
std::string histogram(const Histogram& plot);

// Counts by powers of ten: one bar for each whole power from the smallest (not below 1e-12) to the largest value, and
// one for zero.
std::vector<Bar> decades_of(const std::vector<double>& values);

}  // namespace fastvlm::report
