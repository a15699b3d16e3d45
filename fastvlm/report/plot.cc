#include "fastvlm/report/plot.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "fastvlm/report/html.h"

namespace fastvlm::report {
namespace {

constexpr double kWidth = 520, kHeight = 280, kLeft = 64, kRight = 12, kTop = 34, kBottom = 44;
constexpr const char* kColours[] = {"var(--first)", "var(--other)"};
constexpr int kMostTicks = 8;
constexpr int kLeastPower = -12;  // what is smaller counts there

double across(double share) { return kLeft + share * (kWidth - kLeft - kRight); }
double down(double share) { return kHeight - kBottom - share * (kHeight - kTop - kBottom); }

struct Scale {
  double low = 0;
  double high = 1;
  bool logarithmic = false;

  double share(double value) const {
    if (logarithmic) value = value > 0 ? std::log10(value) : low;
    return high > low ? std::clamp((value - low) / (high - low), 0.0, 1.0) : 0;
  }
};

std::string text_at(double x, double y, const char* anchor, const std::string& text) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", x, y, anchor, escaped(text));
}

std::string frame(const std::string& title, const std::string& x_name) {
  return fmt::format("<svg viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" role=\"img\" aria-label=\"{2}\">\n", kWidth, kHeight,
                     escaped(title)) +
         text_at(kLeft, 16, "start", title) + text_at(across(0.5), kHeight - 8, "middle", x_name) +
         fmt::format("<path d=\"M{0:.1f} {1:.1f}V{2:.1f}H{3:.1f}\" fill=\"none\" stroke=\"currentColor\" stroke-opacity=\".5\"/>\n", kLeft,
                     down(1), down(0), across(1));
}

Scale scale_of(const LinePlot& plot) {
  double smallest = HUGE_VAL, largest = 0;
  for (const Series& series : plot.series)
    for (const double value : series.values) {
      if (value > 0) smallest = std::min(smallest, value);
      largest = std::max(largest, std::min(value, plot.ceiling));
    }
  if (!plot.logarithmic || largest <= 0) return {.low = 0, .high = largest > 0 ? largest : 1};
  return {.low = std::floor(std::log10(smallest)),
          .high = std::max(std::ceil(std::log10(largest)), std::floor(std::log10(smallest)) + 1),
          .logarithmic = true};
}

std::string y_ticks(const Scale& scale) {
  std::string result;
  const int count = scale.logarithmic ? std::min(kMostTicks, static_cast<int>(scale.high - scale.low)) : 4;
  for (int i = 0; i <= count; ++i) {
    const double share = static_cast<double>(i) / count, value = scale.low + share * (scale.high - scale.low);
    result += fmt::format("<path d=\"M{:.1f} {:.1f}H{:.1f}\" stroke=\"var(--line)\"/>\n", kLeft, down(share), across(1));
    result += text_at(kLeft - 6, down(share) + 4, "end",
                      scale.logarithmic ? fmt::format("{:.1e}", std::pow(10, value)) : fmt::format("{:.3g}", value));
  }
  return result;
}

std::string x_ticks(std::size_t count) {
  std::string result;
  const std::size_t step = std::max<std::size_t>(1, (count + kMostTicks - 1) / kMostTicks);
  for (std::size_t i = 0; i < count; i += step)
    result += text_at(across(count > 1 ? static_cast<double>(i) / static_cast<double>(count - 1) : 0.5), down(0) + 16, "middle",
                      std::to_string(i + 1));
  return result;
}

}  // namespace

std::string line_plot(const LinePlot& plot) {
  const Scale scale = scale_of(plot);
  std::size_t count = 0;
  for (const Series& series : plot.series) count = std::max(count, series.values.size());
  std::string result = frame(plot.title + ", " + plot.y_name, plot.x_name) + y_ticks(scale) + x_ticks(count);
  for (std::size_t s = 0; s < plot.series.size(); ++s) {
    const Series& series = plot.series[s];
    const char* colour = kColours[s % std::size(kColours)];
    std::string points;
    for (std::size_t i = 0; i < series.values.size(); ++i) {
      const double x = across(count > 1 ? static_cast<double>(i) / static_cast<double>(count - 1) : 0.5),
                   y = down(scale.share(series.values[i]));
      points += fmt::format("{}{:.1f} {:.1f}", i == 0 ? "M" : "L", x, y);
      result += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.5\" fill=\"{}\"/>\n", x, y, colour);
    }
    if (!points.empty()) result += fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\"/>\n", points, colour);
    result += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\" style=\"fill: {}\">{}</text>\n", across(1),
                          16 + 15.0 * static_cast<double>(s), colour, escaped(series.name));
  }
  return result + "</svg>\n";
}

std::string histogram(const Histogram& plot) {
  double most = 1;
  for (const Bar& bar : plot.bars) most = std::max(most, bar.count);
  std::string result = frame(plot.title, plot.x_name) + y_ticks({.low = 0, .high = most});
  const double width = plot.bars.empty() ? 1 : 1.0 / static_cast<double>(plot.bars.size());
  for (std::size_t i = 0; i < plot.bars.size(); ++i) {
    const double left = across(width * static_cast<double>(i)), right = across(width * static_cast<double>(i + 1)),
                 top = down(plot.bars[i].count / most);
    result += fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"var(--first)\"><title>{}: {}</title></rect>\n", left + 1,
        top, std::max(right - left - 2, 1.0), down(0) - top, escaped(plot.bars[i].label), plot.bars[i].count);
    result += text_at((left + right) / 2, down(0) + 16, "middle", plot.bars[i].label);
  }
  return result + "</svg>\n";
}

std::vector<Bar> decades_of(const std::vector<double>& values) {
  std::map<int, double> counts;
  double zeros = 0;
  for (const double value : values) {
    if (value > 0)
      ++counts[std::max(kLeastPower, static_cast<int>(std::floor(std::log10(value))))];
    else
      ++zeros;
  }
  std::vector<Bar> bars;
  if (zeros > 0) bars.push_back({"0", zeros});
  if (counts.empty()) return bars;
  for (int power = counts.begin()->first; power <= counts.rbegin()->first; ++power)
    bars.push_back({fmt::format("1e{}", power), counts[power]});
  return bars;
}

}  // namespace fastvlm::report
