// Greedy choices of two runs over the same tokens.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace fastvlm {

struct Choices {
  std::int64_t rows = 0;
  std::int64_t close = 0;             // are others, but within the noise
  std::optional<std::int64_t> other;  // the first row that chose another one beyond it
};

// `expected` and `actual` are logits [rows, width], `chosen` is what the second run chose in each row. Rounding moves each logit by the
// root mean square of the difference, and so a choice between two of them by sqrt(2) of it: where the expected logits of both are
// no further apart than three times that, either may win.
Choices compare_choices(std::span<const float> expected, std::span<const float> actual, std::span<const std::int32_t> chosen);

// "all 9 choices are the same", "8 of 9 choices are the same, 1 was as good as even"; "choice 4 is another one".
std::string describe(const Choices& choices);

}  // namespace fastvlm
