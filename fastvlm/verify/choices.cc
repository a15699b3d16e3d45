#include "fastvlm/verify/choices.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fastvlm/base/assert.h"

namespace fastvlm {
namespace {

constexpr double kSigmas = 3;

double root_mean_square(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
  return std::sqrt(sum / static_cast<double>(a.size()));
}

}  // namespace

Choices compare_choices(std::span<const float> expected, std::span<const float> actual, std::span<const std::int32_t> chosen) {
  FASTVLM_ASSERT(!chosen.empty() && expected.size() == actual.size() && expected.size() % chosen.size() == 0, "rows of logits");
  const std::size_t width = expected.size() / chosen.size();
  const double noise = kSigmas * std::sqrt(2) * root_mean_square(expected, actual);
  Choices choices{.rows = static_cast<std::int64_t>(chosen.size())};
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const auto row = expected.subspan(i * width, width);
    const auto best = std::ranges::max_element(row);
    const auto id = static_cast<std::size_t>(chosen[i]);
    if (chosen[i] == best - row.begin()) continue;
    if (id < width && double{*best} - row[id] <= noise)
      ++choices.close;
    else if (!choices.other)
      choices.other = static_cast<std::int64_t>(i);
  }
  return choices;
}

std::string describe(const Choices& choices) {
  if (choices.other) return fmt::format("choice {} of {} is another one", *choices.other + 1, choices.rows);
  if (choices.close == 0) return fmt::format("all {} choices are the same", choices.rows);
  return fmt::format("{} of {} choices are the same, {} between logits no further apart than rounding moves them",
                     choices.rows - choices.close, choices.rows, choices.close);
}

}  // namespace fastvlm
